using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>
/// The file of a Unix socket outlives a process that was killed, and then keeps the next one from binding. It is
/// taken away if nobody answers behind it; a file that is no socket is never touched.
/// </summary>
internal static class UnixSocketFile
{
    /// <summary>ENXIO: what Linux says to one who opens a socket (open(2)).</summary>
    private const int NoSuchDevice = 6;

    /// <summary>EOPNOTSUPP: what macOS and the BSDs say.</summary>
    private const int NotSupported = 102;

    /// <exception cref="AddressInUseException">Another process serves the socket, or the path is no socket.</exception>
    public static async Task PrepareAsync(string path, CancellationToken cancellationToken)
    {
        if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
        if (!File.Exists(path)) return;
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await probe.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
        }
        // Refused by a socket that nobody serves, and by a file that is none; the latter has bytes or another type.
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionRefused && IsSocket(path))
        {
            File.Delete(path);
            return;
        }
        catch (SocketException e)
        {
            throw new AddressInUseException($"'{path}' is there and is not a socket of this server: {e.Message}", e);
        }

        throw new AddressInUseException($"another process serves '{path}'");
    }

    /// <summary>
    /// Binds a Unix socket whose file has this mode before a peer can connect: until the socket listens, every connect is refused.
    /// </summary>
    /// <exception cref="SocketException">The path cannot be bound.</exception>
    public static Socket Bind(EndPoint endPoint, UnixFileMode mode)
    {
        var socket = DirectTransportOptions.CreateDefaultBoundListenSocket(endPoint);
        try
        {
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(endPoint.ToString()!, mode);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <remarks>
    /// .NET shows a socket as a file without attributes of its own; its length is 0 and it cannot be opened, which has an
    /// error number of its own (a file that is locked cannot be opened either). Read-only, a named pipe would wait for a writer.
    /// </remarks>
    private static bool IsSocket(string path)
    {
        try
        {
            using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            return false;
        }
        catch (IOException e)
        {
            return e.HResult is NoSuchDevice or NotSupported;
        }
        catch (UnauthorizedAccessException)
        {
            return false;
        }
    }
}
