using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Perch.Wire;

namespace Perch.Cli.Net;

/// <summary>The client's side of one TLS handshake, which tells in one line why it failed.</summary>
internal sealed class TlsHandshake(TlsSettings settings, string host)
{
    private string? _fault;

    private string ServerName => settings.ServerName ?? host;

    /// <returns>The stream; whoever called owns <paramref name="plain"/> until then.</returns>
    /// <exception cref="CliException"><see cref="ExitCode.Tls"/>, or a file that cannot be used.</exception>
    public async Task<SslStream> RunAsync(Stream plain, CancellationToken cancellationToken)
    {
        var ssl = new SslStream(plain, leaveInnerStreamOpen: false);
        try
        {
            await ssl.AuthenticateAsClientAsync(Options(), cancellationToken);
            return ssl;
        }
        catch (Exception exception) when (exception is AuthenticationException or IOException)
        {
            await ssl.DisposeAsync();
            var cause = _fault ?? PeerText.Escape(exception.GetBaseException().Message, 300).TrimEnd('.');
            // With an alert of the peer there is an inner exception that has it.
            if (_fault is null && exception.InnerException is null) cause = $"does the peer speak TLS? ({cause})";
            throw new CliException(ExitCode.Tls, $"TLS with {PeerText.Escape(ServerName)} failed: {cause}.");
        }
        catch
        {
            await ssl.DisposeAsync();
            throw;
        }
    }

    private SslClientAuthenticationOptions Options()
    {
        var options = new SslClientAuthenticationOptions { TargetHost = ServerName, RemoteCertificateValidationCallback = Validate };
        if (settings.CertificatePath is { } path) options.ClientCertificates = [LoadClientCertificate(path, settings.KeyPath)];
        if (settings.CaPath is not { } ca) return options;
        options.CertificateChainPolicy = new() { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
        try
        {
            options.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(ca);
        }
        catch (CryptographicException)
        {
            throw new CliException(ExitCode.LocalFile, $"{ca} is not a file of PEM certificates.");
        }

        return options.CertificateChainPolicy.CustomTrustStore.Count > 0 ? options : throw new CliException(ExitCode.LocalFile, $"{ca} has no PEM certificate.");
    }

    private static X509Certificate2 LoadClientCertificate(string path, string? keyPath)
    {
        try
        {
            return X509Certificate2.CreateFromPemFile(path, keyPath ?? path);
        }
        catch (CryptographicException)
        {
            throw new CliException(ExitCode.LocalFile, $"{path} has no PEM certificate with its key{(keyPath is null ? ": give the key with --key" : $" in {keyPath}")}.");
        }
    }

    private bool Validate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None || settings.IsInsecure) return true;
        _fault = errors switch
        {
            _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable) => "the server shows no certificate",
            _ when errors.HasFlag(SslPolicyErrors.RemoteCertificateChainErrors) => DescribeChain(chain),
            _ => $"the certificate is for {Names(certificate)} and not for {PeerText.Escape(ServerName)}: give its name with --sni",
        };
        return false;
    }

    private string DescribeChain(X509Chain? chain)
    {
        var status = chain?.ChainStatus.Aggregate(X509ChainStatusFlags.NoError, (all, one) => all | one.Status) ?? X509ChainStatusFlags.NoError;
        var leaf = chain?.ChainElements.FirstOrDefault()?.Certificate;
        if (status.HasFlag(X509ChainStatusFlags.NotTimeValid) && leaf is not null)
            return $"the certificate, or one that it depends on, is not valid now (from {leaf.NotBefore:yyyy-MM-dd} to {leaf.NotAfter:yyyy-MM-dd})";
        if (status.HasFlag(X509ChainStatusFlags.Revoked)) return "the certificate is revoked";
        return settings.CaPath is null
            ? "the certificate is not trusted: give its authority (or itself, where it is self-signed) with --ca"
            : $"the certificate was not issued by an authority in {settings.CaPath}";
    }

    private static string Names(X509Certificate? certificate)
    {
        if (certificate is not X509Certificate2 full) return "another name";
        var names = full.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateDnsNames().Concat(e.EnumerateIPAddresses().Select(a => a.ToString()))).Take(5).ToList();
        return PeerText.Escape(names.Count > 0 ? string.Join(", ", names) : full.Subject);
    }
}
