using System.Net.Sockets;

namespace Perch.Transport;

/// <summary>
/// How the system finds out that a silent peer is gone: it asks after <see cref="Time"/> of silence, again each
/// <see cref="Interval"/>, and resets the connection when <see cref="Count"/> of these were not answered (tcp(7)).
/// </summary>
public sealed record KeepAlive
{
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(32767);

    /// <summary>The silence before the first question, in whole seconds, 1 to 32,767. Default 2 minutes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public TimeSpan Time { get; init => field = Seconds(value); } = TimeSpan.FromMinutes(2);

    /// <summary>Between two questions, in whole seconds, 1 to 32,767. Default 15 seconds.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public TimeSpan Interval { get; init => field = Seconds(value); } = TimeSpan.FromSeconds(15);

    /// <summary>Questions without an answer, 1 to 127. Default 4.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is not.</exception>
    public int Count
    {
        get;
        init
        {
            if (value is < 1 or > 127) throw new ArgumentOutOfRangeException(nameof(value), value, "Ask 1 to 127 times.");
            field = value;
        }
    } = 4;

    /// <summary>Sets the options of a socket. Connections inherit those of the listening socket that accepts them.</summary>
    /// <param name="socket">A TCP socket.</param>
    /// <param name="keepAlive">The options; null turns keep-alive off.</param>
    /// <exception cref="ObjectDisposedException">The socket is closed.</exception>
    public static void Set(Socket socket, KeepAlive? keepAlive)
    {
        if (keepAlive is not null)
        {
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, (int)keepAlive.Time.TotalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, (int)keepAlive.Interval.TotalSeconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, keepAlive.Count);
        }

        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, keepAlive is not null);
    }

    private static TimeSpan Seconds(TimeSpan value) => value >= TimeSpan.FromSeconds(1) && value <= Longest && value.Ticks % TimeSpan.TicksPerSecond == 0
        ? value
        : throw new ArgumentOutOfRangeException(nameof(value), value, "Use whole seconds, 1 to 32,767.");
}
