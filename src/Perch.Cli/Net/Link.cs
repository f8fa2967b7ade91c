using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Perch.Cli.Net;

/// <summary>An open way to a peer: a stream of bytes, or datagrams.</summary>
internal sealed class Link : IAsyncDisposable
{
    private readonly Socket _socket;
    private readonly Stream? _stream;

    /// <summary>Datagrams.</summary>
    public Link(Socket socket) => _socket = socket;

    /// <summary>Bytes; <paramref name="stream"/> owns the socket.</summary>
    public Link(Socket socket, Stream stream) => (_socket, _stream) = (socket, stream);

    /// <summary>Each read and each write is one datagram; there is no end.</summary>
    public bool IsDatagram => _stream is null;

    public EndPoint? Peer => _socket.RemoteEndPoint;

    /// <returns>How many bytes came; 0 is the end of a stream, or an empty datagram.</returns>
    /// <exception cref="CliException"><see cref="ExitCode.Cut"/>: TLS ended without its close_notify, so what came may be cut short.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (_stream is null) return await _socket.ReceiveAsync(buffer, cancellationToken);
        try
        {
            return await _stream.ReadAsync(buffer, cancellationToken);
        }
        catch (IOException exception) when (exception.InnerException is not SocketException)
        {
            throw new CliException(ExitCode.Cut, "The peer ended the connection without ending TLS: something may be missing.");
        }
    }

    /// <summary>As <see cref="ReadAsync(Memory{byte}, CancellationToken)"/>, and no longer than <paramref name="timeout"/>.</summary>
    /// <exception cref="CliException"><see cref="ExitCode.TimedOut"/>.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            return await ReadAsync(buffer, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCode.TimedOut, $"The peer sent nothing for {timeout.TotalSeconds:0.###} s (--timeout).");
        }
    }

    /// <summary>Sends all of it.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (_stream is null)
        {
            await _socket.SendAsync(bytes, cancellationToken);
            return;
        }

        try
        {
            await _stream.WriteAsync(bytes, cancellationToken);
        }
        catch (IOException exception) when (exception.InnerException is not SocketException)
        {
            throw new CliException(ExitCode.Cut, "The peer has ended the connection.");
        }
    }

    /// <summary>As <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>; the peer has to take it within <paramref name="timeout"/>.</summary>
    /// <exception cref="CliException"><see cref="ExitCode.TimedOut"/>.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        try
        {
            await WriteAsync(bytes, limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCode.TimedOut, $"The peer took nothing for {timeout.TotalSeconds:0.###} s (--timeout).");
        }
    }

    /// <summary>Says that nothing more comes from this side; the peer may go on.</summary>
    public async Task EndInputAsync()
    {
        try
        {
            // With TLS its close_notify says it, and the socket stays open for the peer's own.
            if (_stream is SslStream ssl) await ssl.ShutdownAsync();
            else if (_stream is not null) _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            // The peer is gone already; the next read tells.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_stream is not null) await _stream.DisposeAsync();
        _socket.Dispose();
    }
}
