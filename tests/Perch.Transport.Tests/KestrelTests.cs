using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Perch.Transport.Tests;

/// <summary>Kestrel serves over the transport what it serves over its own.</summary>
public sealed class KestrelTests
{
    public static TheoryData<string, bool> Versions => new() { { "1.1", false }, { "1.1", true }, { "2.0", false }, { "2.0", true } };

    [Theory]
    [MemberData(nameof(Versions))]
    public async Task Http_Requests_AreAnswered(string version, bool isTls)
    {
        using var certificate = Certificate();
        await using var app = await StartAsync(isTls ? HttpProtocols.Http1AndHttp2 : version == "2.0" ? HttpProtocols.Http2 : HttpProtocols.Http1, isTls ? certificate : null);
        using var handler = new SocketsHttpHandler { SslOptions = new() { RemoteCertificateValidationCallback = (_, peer, _, _) => peer!.GetCertHashString() == certificate.Thumbprint } };
        using var http = new HttpClient(handler) { BaseAddress = new(app.Urls.Single().Replace("[::]", "localhost", StringComparison.Ordinal)), DefaultRequestVersion = new(version), DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };

        for (var i = 0; i < 20; i++) Assert.Equal("hello", await http.GetStringAsync(new Uri("/", UriKind.Relative)).Soon());
        var body = PeerExtensions.Pattern(3_000_000);
        var bodies = await Task.WhenAll(Enumerable.Range(0, 8).Select(async _ =>
        {
            using var content = new ByteArrayContent(body);
            using var response = await http.PostAsync(new Uri("/echo", UriKind.Relative), content);
            Assert.Equal(new Version(version), response.Version);
            return await response.Content.ReadAsByteArrayAsync();
        })).Soon();
        Assert.All(bodies, received => Assert.True(received.AsSpan().SequenceEqual(body)));
    }

    [Fact]
    public async Task Http_ClientGoesAway_RequestIsAborted()
    {
        await using var app = await StartAsync(HttpProtocols.Http1, null);
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, new Uri(app.Urls.Single()).Port);
        await client.SendTextAsync("GET /hang HTTP/1.1\r\nHost: x\r\n\r\n");
        await ((TaskCompletionSource)app.Properties()["begun"]!).Task.Soon();
        client.Close();

        await ((TaskCompletionSource)app.Properties()["aborted"]!).Task.Soon();
    }

    [Fact]
    public async Task Tls_RawConnection_BytesGoBothWays()
    {
        using var certificate = Certificate();
        await using var app = await StartAsync(HttpProtocols.None, certificate);
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(app.Urls.Single()).Port);
        await using var tls = new SslStream(client.GetStream(), false, (_, peer, _, _) => peer!.GetCertHashString() == certificate.Thumbprint);
        await tls.AuthenticateAsClientAsync("localhost").Soon();
        var sent = PeerExtensions.Pattern(500_000);
        var writing = tls.WriteAsync(sent).AsTask();
        var received = new byte[sent.Length];
        await tls.ReadExactlyAsync(received).AsTask().Soon();
        await writing.Soon();

        Assert.True(received.AsSpan().SequenceEqual(sent));
    }

    private static async Task<WebApplication> StartAsync(HttpProtocols protocols, X509Certificate2? certificate)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().UsePerchTransport().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            listen.Protocols = protocols;
            if (certificate is not null) listen.UseHttps(certificate);
            if (protocols == HttpProtocols.None) listen.Run(EchoAsync);
        }));
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var (begun, aborted) = (new TaskCompletionSource(), new TaskCompletionSource());
        ((IApplicationBuilder)app).Properties["begun"] = begun;
        ((IApplicationBuilder)app).Properties["aborted"] = aborted;
        app.MapGet("/", () => "hello");
        app.MapPost("/echo", async (HttpContext context) =>
        {
            // HttpClient reads no answer while it sends: eight of them would fill the window of their one HTTP/2 connection.
            using var body = new MemoryStream();
            await context.Request.BodyReader.CopyToAsync(body);
            await context.Response.Body.WriteAsync(body.GetBuffer().AsMemory(0, (int)body.Length));
        });
        app.MapGet("/hang", async (HttpContext context) =>
        {
            context.RequestAborted.Register(aborted.SetResult);
            begun.SetResult();
            await aborted.Task;
        });
        await app.StartAsync();
        return app;
    }

    private static async Task EchoAsync(ConnectionContext connection)
    {
        while (true)
        {
            var read = await connection.Transport.Input.ReadAsync();
            foreach (var segment in read.Buffer) await connection.Transport.Output.WriteAsync(segment);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return;
        }
    }

    private static X509Certificate2 Certificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pfx), null);
    }
}

internal static class ApplicationProperties
{
    public static IDictionary<string, object?> Properties(this WebApplication app) => ((IApplicationBuilder)app).Properties;
}
