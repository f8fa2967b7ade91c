using System.Buffers;
using System.IO.Pipelines;

namespace Perch.Server.Admin;

/// <summary>
/// Writes server-sent events to one reader, which must take each 16 KiB within a time limit. Kestrel's own minimum rate allows a
/// reader of one large event an hour or more, because it counts from the size of the write.
/// </summary>
internal sealed class EventWriter : IDisposable
{
    private const int PieceBytes = 16 * 1024;

    private readonly PipeWriter _body;
    private readonly TimeSpan _timeout;
    private readonly CancellationTokenSource _limit;
    private readonly CancellationTokenRegistration _ending;

    /// <param name="body">The body of the response.</param>
    /// <param name="timeout">Longest wait for one piece.</param>
    /// <param name="time">Clock of the wait.</param>
    /// <param name="ending">Cancels a write as well.</param>
    public EventWriter(PipeWriter body, TimeSpan timeout, TimeProvider time, CancellationToken ending)
    {
        (_body, _timeout) = (body, timeout);
        _limit = new(Timeout.InfiniteTimeSpan, time);
        _ending = ending.UnsafeRegister(static limit => ((CancellationTokenSource)limit!).Cancel(), _limit);
    }

    /// <exception cref="OperationCanceledException">The reader did not read, or the stream is to end.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var piece = bytes[..Math.Min(bytes.Length, PieceBytes)];
            _body.Write(piece.Span);
            bytes = bytes[piece.Length..];
            if (_body.UnflushedBytes >= PieceBytes)
                await FlushAsync();
        }
    }

    /// <inheritdoc cref="WriteAsync"/>
    public async Task FlushAsync()
    {
        if (_body.UnflushedBytes == 0)
            return;
        _limit.CancelAfter(_timeout);
        await _body.FlushAsync(_limit.Token);
        _limit.CancelAfter(Timeout.InfiniteTimeSpan);
    }

    public void Dispose()
    {
        _ending.Dispose();
        _limit.Dispose();
    }
}
