using System.Globalization;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Cli;

/// <summary><c>perch connect</c> and <c>send</c> with servers of other people.</summary>
public sealed partial class ClientNeighbourTests : IDisposable
{
    private const string ServerName = "perch.test";
    private const int TlsCode = 6;

    private readonly ServerFolder _work = new();

    public void Dispose() => _work.Dispose();

    [NeighbourFact("nc")]
    public async Task Nc_OnAUnixSocket_GetsLinesAndItsOwnAreShown()
    {
        var path = Path.Combine(_work.Root, "nc.sock");
        await using var nc = Neighbour.Start("nc", ["-lNU", path]);
        await Poll.UntilAsync(() => File.Exists(path), () => "nc listens");
        await nc.Input.WriteAsync("from nc\n");
        nc.Input.Close();

        var run = await PerchClient.RunAsync(_work.Root, "one\ntwo\n", "connect", $"unix:{path}");

        Assert.Equal((0, "from nc\n"), (run.ExitCode, run.Output));
        await Poll.UntilAsync(() => nc.Output == "one\ntwo\n", () => nc.Output);
    }

    [NeighbourTheory("socat")]
    [InlineData("tcp://", "TCP4-LISTEN:0,bind=127.0.0.1")]
    [InlineData("udp://", "UDP4-LISTEN:0,bind=127.0.0.1")]
    public async Task Socat_ThatEchoes_Answers(string scheme, string address)
    {
        await using var socat = Neighbour.Start("socat", ["-d", "-d", address, "EXEC:cat"]);
        var run = await PerchClient.RunAsync(_work.Root, "", "send", $"{scheme}127.0.0.1:{await PortAsync(socat, SocatPort())}", "こんにちは");
        Assert.Equal((0, scheme == "udp://" ? "こんにちは\n" : "こんにちは"), (run.ExitCode, run.Output));
    }

    [NeighbourFact("openssl")]
    public async Task Openssl_WithAnAuthorityOfItsOwn_IsTrustedOnlyWithCaAndName()
    {
        WriteCertificates();
        await using var server = Openssl();
        var url = $"tls://127.0.0.1:{await PortAsync(server, OpensslPort())}";

        var untrusted = await PerchClient.RunAsync(_work.Root, "", "send", url, "x");
        Assert.Equal((TlsCode, "perch: TLS with 127.0.0.1 failed: the certificate is not trusted: give its authority (or itself, where it is self-signed) with --ca.\n"), (untrusted.ExitCode, untrusted.Errors));
        var misnamed = await PerchClient.RunAsync(_work.Root, "", "send", url, "x", "--ca", "ca.pem");
        Assert.Equal((TlsCode, $"perch: TLS with 127.0.0.1 failed: the certificate is for {ServerName} and not for 127.0.0.1: give its name with --sni.\n"), (misnamed.ExitCode, misnamed.Errors));
        var other = await PerchClient.RunAsync(_work.Root, "", "send", url, "x", "--ca", "server.pem", "--sni", ServerName);
        Assert.Equal(TlsCode, other.ExitCode);

        // s_server -rev sends each line back in reverse.
        var run = await PerchClient.RunAsync(_work.Root, "", "send", url, "Hello\n", "--ca", "ca.pem", "--sni", ServerName, "--replies", "1", "--framing", "chunk");
        Assert.Equal((0, "olleH\n"), (run.ExitCode, run.Output));
    }

    [NeighbourFact("openssl")]
    public async Task Openssl_ThatAsksForACertificate_GetsIt()
    {
        WriteCertificates();
        await using var server = Openssl("-Verify", "1", "-verify_return_error", "-CAfile", Path.Combine(_work.Root, "ca.pem"));
        var url = $"tls://127.0.0.1:{await PortAsync(server, OpensslPort())}";
        string[] common = ["send", url, "Hello\n", "--ca", "ca.pem", "--sni", ServerName, "--replies", "1"];

        Assert.Contains((await PerchClient.RunAsync(_work.Root, "", common)).ExitCode, (int[])[TlsCode, 7]);
        var run = await PerchClient.RunAsync(_work.Root, "", [.. common, "--cert", "client.pem", "--key", "client.key"]);
        Assert.True(run.ExitCode == 0, run.Errors + server.Output);
        Assert.Equal("olleH\n", run.Output);
    }

    private Neighbour Openssl(params string[] more) => Neighbour.Start(
        "openssl", ["s_server", "-accept", "127.0.0.1:0", "-cert", Path.Combine(_work.Root, "server.pem"), "-key", Path.Combine(_work.Root, "server.key"), "-rev", .. more]);

    private static async Task<string> PortAsync(Neighbour server, Regex port)
    {
        await Poll.UntilAsync(() => port.IsMatch(server.Output), () => server.Output);
        return port.Match(server.Output).Groups["port"].Value;
    }

    private void WriteCertificates()
    {
        var (from, to) = (DateTimeOffset.Parse("2020-01-01T00:00:00Z", CultureInfo.InvariantCulture), DateTimeOffset.Parse("2099-01-01T00:00:00Z", CultureInfo.InvariantCulture));
        using var caKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var caRequest = new CertificateRequest("CN=Perch test authority", caKey, HashAlgorithmName.SHA256);
        caRequest.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, 0, critical: true));
        using var ca = caRequest.CreateSelfSigned(from, to);
        File.WriteAllText(Path.Combine(_work.Root, "ca.pem"), ca.ExportCertificatePem());
        foreach (var (name, subject) in ((string, string)[])[("server", ServerName), ("client", "web1")])
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest($"CN={subject}", key, HashAlgorithmName.SHA256);
            var names = new SubjectAlternativeNameBuilder();
            names.AddDnsName(subject);
            request.CertificateExtensions.Add(names.Build());
            using var certificate = request.Create(ca, from, to, RandomNumberGenerator.GetBytes(8));
            File.WriteAllText(Path.Combine(_work.Root, $"{name}.pem"), certificate.ExportCertificatePem());
            File.WriteAllText(Path.Combine(_work.Root, $"{name}.key"), key.ExportPkcs8PrivateKeyPem());
        }
    }

    [GeneratedRegex(@"listening on .*:(?<port>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SocatPort();

    [GeneratedRegex(@"ACCEPT .*:(?<port>\d+)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex OpensslPort();
}
