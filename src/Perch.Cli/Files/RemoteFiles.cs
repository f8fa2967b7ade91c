using Perch.Cli.Net;

namespace Perch.Cli.Files;

/// <summary>Opens the right kind of <see cref="IRemoteFiles"/> for a URL's scheme.</summary>
internal static class RemoteFiles
{
    /// <exception cref="CliException">The scheme is none for files, or the server cannot be reached.</exception>
    public static async Task<IRemoteFiles> OpenAsync(Dialer dialer, CancellationToken cancellationToken) => dialer.Target switch
    {
        { Protocol: "files" or null, Transport: not Transport.Udp } => new FilesSession(await dialer.ConnectAsync(cancellationToken), dialer.Timeout),
        _ => throw new CliException(ExitCode.Usage, "Files are reached by files://host/name (or tcp://, tls://, unix: where the protocol is files)."),
    };
}
