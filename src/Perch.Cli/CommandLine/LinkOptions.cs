using System.CommandLine;
using Perch.Cli.Net;

namespace Perch.Cli.CommandLine;

/// <summary>The options about TLS, for verbs that open connections.</summary>
internal sealed class LinkOptions
{
    private readonly Option<bool> _tls = new("--tls") { Description = "Speak TLS, as tls:// does." };
    private readonly Option<FileInfo?> _ca = FileOption.Create("--ca", "Trust the certificates in this PEM file, and no others.");
    private readonly Option<FileInfo?> _cert = FileOption.Create("--cert", "The client certificate (PEM), if the server asks for one.");
    private readonly Option<FileInfo?> _key = FileOption.Create("--key", "The key of --cert, where it is in another file.");
    private readonly Option<string?> _sni = new("--sni") { Description = "The name to ask for and to find in the certificate (default: the URL's host).", HelpName = "name" };
    private readonly Option<bool> _insecure = new("--insecure") { Description = "Take any certificate. Anybody between you and the server can then read and change all." };

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])[_tls, _ca, _cert, _key, _sni, _insecure]) command.Add(option);
    }

    /// <summary>How to reach <paramref name="target"/> with what was given.</summary>
    public Dialer Dialer(ParseResult result, Target target)
    {
        TlsSettings tls = new(result.GetValue(_ca)?.FullName, result.GetValue(_cert)?.FullName, result.GetValue(_key)?.FullName, result.GetValue(_sni), result.GetValue(_insecure));
        var wantsTls = result.GetValue(_tls) || target.IsTls;
        if (!wantsTls && tls.IsAnySet) throw new CliException(ExitCode.Usage, "--ca, --cert, --key, --sni and --insecure are for TLS: write tls:// or add --tls.");
        if (wantsTls && target.Transport == Transport.Udp) throw new CliException(ExitCode.Usage, "There is no TLS over UDP here.");
        return new(target, wantsTls ? tls : null, result.GetTimeout());
    }
}
