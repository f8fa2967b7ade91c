using Perch.Cli.Files.Tftp;
using Perch.Cli.Net;

namespace Perch.Cli.Files;

/// <summary>Opens the right kind of <see cref="IRemoteFiles"/> for a URL's scheme.</summary>
internal static class RemoteFiles
{
    /// <param name="dialer">Where to.</param>
    /// <param name="tftp">What a TFTP server is asked for.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CliException">The scheme is none for files, or the server cannot be reached.</exception>
    public static async Task<IRemoteFiles> OpenAsync(Dialer dialer, TftpAsk tftp, CancellationToken cancellationToken) => dialer.Target switch
    {
        { Protocol: "files" or null, Transport: not Transport.Udp } => new FilesSession(await dialer.ConnectAsync(cancellationToken), dialer.Timeout),
        { Protocol: Target.Tftp } => await TftpFiles.OpenAsync(dialer, tftp, cancellationToken),
        _ => throw new CliException(ExitCode.Usage, "Files are reached by files://host/name and tftp://host/name (or tcp://, tls://, unix: where the protocol is files)."),
    };
}
