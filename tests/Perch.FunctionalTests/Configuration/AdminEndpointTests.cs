using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Configuration;

/// <summary>Every address that Kestrel accepts works with <c>--check</c>, the start and <c>--health</c>.</summary>
public sealed class AdminEndpointTests
{
    [Theory]
    [InlineData("http://127.0.0.1:0")]
    [InlineData("http://[::1]:0")]
    [InlineData("http://[::]:0")]
    [InlineData("http://*:0")]
    [InlineData("http://+:0")]
    [InlineData("http://0.0.0.0:0")]
    [InlineData("http://host.example:0")]
    [InlineData("https://127.0.0.1:0")]
    [InlineData("https://*:0")]
    [InlineData("http://127.0.0.1:0", "Http2")]
    public async Task Health_OfEachForm_IsReady(string url, string protocols = "Http1AndHttp2")
    {
        using var folder = new ServerFolder(new ServerSettings { AdminUrl = url });
        WriteCertificate(folder);
        string[] arguments =
        [
            $"--Kestrel:Endpoints:Admin:Protocols={protocols}",
            .. url.StartsWith("https", StringComparison.Ordinal)
                ? (string[])["--Kestrel:Certificates:Default:Path=cert.pem", "--Kestrel:Certificates:Default:KeyPath=key.pem"] : [],
        ];
        await using var server = await ServerProcess.StartAsync(folder, arguments);
        var port = new Uri(server.Admin.Url).Port;

        string[] bound = [.. arguments, $"--Kestrel:Endpoints:Admin:Url={url[..^1]}{port}"];
        var health = await ServerProcess.RunAsync(folder, ["--health", .. bound]);
        Assert.Equal((0, ""), (health.ExitCode, health.Errors));
        Assert.Contains("\"Healthy\"", health.Output, StringComparison.Ordinal);
        var check = await ServerProcess.RunAsync(folder, ["--check", .. bound]);
        Assert.Equal((0, "The configuration is valid: 0 endpoints."), (check.ExitCode, check.Output));
    }

    [Fact]
    public async Task Health_UnixSocket_IsReady()
    {
        using var folder = new ServerFolder();
        var url = $"http://unix:{folder.Root}/adm.sock";
        folder.Write(new ServerSettings { AdminUrl = url }.ToString());
        await using var server = ServerProcess.Launch(folder.Root, []);
        await Poll.UntilAsync(() => server.Output.Contains("Now listening on", StringComparison.Ordinal),
            () => server.Output + server.Errors);

        var health = await ServerProcess.RunAsync(folder, "--health");
        Assert.Equal((0, ""), (health.ExitCode, health.Errors));
        Assert.Contains("\"Healthy\"", health.Output, StringComparison.Ordinal);
        Assert.Equal(0, (await ServerProcess.RunAsync(folder, "--check")).ExitCode);
    }

    [Theory]
    [InlineData("localhost:8080", "'localhost:8080' is not a URL")]
    [InlineData("http://127.0.0.1:0", "the port is not known")]
    public async Task Health_AddressItCannotUse_NamesTheKeyAndExits2(string url, string problem)
    {
        using var folder = new ServerFolder(new ServerSettings { AdminUrl = url });
        var health = await ServerProcess.RunAsync(folder, "--health");

        Assert.Equal(2, health.ExitCode);
        Assert.StartsWith("perch-server: Kestrel:Endpoints:Admin:Url: ", health.Errors, StringComparison.Ordinal);
        Assert.Contains(problem, health.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_AdminAddressThatThisMachineDoesNotHave_Exits1WithoutAStackTrace()
    {
        // RFC 5737: an address for documentation.
        using var folder = new ServerFolder(new ServerSettings { AdminUrl = "http://192.0.2.1:31995" });
        var ended = await ServerProcess.RunAsync(folder);

        Assert.Equal(1, ended.ExitCode);
        Assert.StartsWith("perch-server: ", ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ended.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limits_Configured_TakeEffect()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings(), arguments: "--Kestrel:Limits:MaxRequestLineSize=100");

        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync("/health/live")).Status);
        Assert.Equal(HttpStatusCode.RequestUriTooLong, (await host.Admin.GetAsync("/health/live?" + new string('x', 100))).Status);
    }

    private static void WriteCertificate(ServerFolder folder)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=perch", key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        File.WriteAllText(Path.Combine(folder.Root, "cert.pem"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(folder.Root, "key.pem"), key.ExportPkcs8PrivateKeyPem());
    }
}
