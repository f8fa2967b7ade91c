using System.Net;
using System.Net.Sockets;
using Perch.Server.Configuration;

namespace Perch.Server;

/// <summary><c>perch-server --health</c> and <c>--live</c>: asks the server that runs on this machine, so that a container needs no curl.</summary>
internal static class HealthProbe
{
    public const string ReadyPath = "/health/ready";
    public const string LivePath = "/health/live";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    /// <param name="configuration">The server's.</param>
    /// <param name="path">What to ask for.</param>
    /// <returns>0 if the answer is a success, else 1; the answer goes to standard output.</returns>
    /// <exception cref="ServerCommandException">The configuration has no address of the admin endpoint, or one that is not valid.</exception>
    public static async Task<int> RunAsync(IConfiguration configuration, string path)
    {
        var endpoint = configuration.GetSection("Kestrel:Endpoints").GetChildren().FirstOrDefault(e => e["Url"] is not null)
            ?? throw new ServerCommandException("--health and --live need the admin endpoint's address: set Kestrel:Endpoints:Admin:Url.");
        var url = endpoint["Url"]!;
        var (address, problem, cure) = AdminAddress.Parse(url);
        if (address is null)
            throw new ServerCommandException($"{endpoint.Path}:Url: {problem}. {cure}.");
        if (address is { UnixSocket: null, Port: 0 })
            throw new ServerCommandException($"{endpoint.Path}:Url: '{url}' has port 0, so the port is not known. Write a port.");

        using var handler = CreateHandler(address);
        using var client = new HttpClient(handler) { Timeout = Limit };
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address.LocalUrl, path));
        // Without TLS the two sides cannot negotiate HTTP/2: the client has to begin with it.
        var protocols = endpoint["Protocols"] ?? configuration["Kestrel:EndpointDefaults:Protocols"];
        if ("Http2".Equals(protocols, StringComparison.OrdinalIgnoreCase))
            (request.Version, request.VersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        // With the key the answer has the reasons.
        if (configuration["Admin:ApiKey"] is { Length: > 0 } key) request.Headers.TryAddWithoutValidation("X-Api-Key", key);
        try
        {
            using var response = await client.SendAsync(request);
            await Console.Out.WriteLineAsync(await response.Content.ReadAsStringAsync());
            return response.IsSuccessStatusCode ? ExitCode.Stopped : ExitCode.Failed;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"perch-server: {url} does not answer: {exception.GetBaseException().Message}");
            return ExitCode.Failed;
        }
    }

    private static SocketsHttpHandler CreateHandler(AdminAddress address)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        // The probe connects to this machine only; whether clients elsewhere trust the certificate is not its question.
#pragma warning disable MA0039, CA5359
        handler.SslOptions.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore MA0039, CA5359
        if (address.UnixSocket is { } path)
            handler.ConnectCallback = (_, cancellation) => ConnectAsync(path, cancellation);
        return handler;
    }

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
