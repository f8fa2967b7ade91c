using System.Buffers;
using System.IO.Pipelines;

namespace Perch.Server.Admin;

/// <summary>
/// Writes records to one reader, which must take each 16 KiB within a time limit. Kestrel's own minimum rate allows a reader an hour
/// and more for one large record, because it counts from the size of the write.
/// </summary>
internal sealed partial class BoundedWriter : IDisposable
{
    private const int PieceBytes = 16 * 1024;

    private const int Open = 0;
    private const int Ending = 1;
    private const int TimedOut = 2;

    private readonly PipeWriter _body;
    private readonly TimeSpan _timeout;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenRegistration _ending;
    private readonly ITimer _timer;
    private int _state;

    /// <param name="body">The body of the response.</param>
    /// <param name="timeout">Longest wait for one piece.</param>
    /// <param name="time">Clock of the wait.</param>
    /// <param name="ending">Cancels a write as well.</param>
    public BoundedWriter(PipeWriter body, TimeSpan timeout, TimeProvider time, CancellationToken ending)
    {
        (_body, _timeout) = (body, timeout);
        _timer = time.CreateTimer(
            static writer => ((BoundedWriter)writer!).Stop(TimedOut), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _ending = ending.UnsafeRegister(static writer => ((BoundedWriter)writer!).Stop(Ending), this);
    }

    /// <exception cref="TimeoutException">The reader did not read.</exception>
    /// <exception cref="OperationCanceledException">The response is to end.</exception>
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
        _timer.Change(_timeout, Timeout.InfiniteTimeSpan);
        try
        {
            await _body.FlushAsync(_stopping.Token);
        }
        catch (OperationCanceledException exception) when (Volatile.Read(ref _state) == TimedOut)
        {
            throw new TimeoutException("The reader did not read in time.", exception);
        }

        _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Closes the connection of a reader that did not read in time.</summary>
    public static void Disconnect(HttpContext context, RecordReadOptions options)
    {
        var logger = context.RequestServices.GetRequiredService<ILogger<BoundedWriter>>();
        var client = context.Connection.RemoteIpAddress?.ToString() ?? "unix";
        Log.ReaderTimedOut(logger, client, context.Request.Path, options.WriteTimeout.TotalSeconds);
        context.Abort();
    }

    public void Dispose()
    {
        _ending.Dispose();
        _timer.Dispose();
    }

    /// <summary>The first cause counts: Kestrel aborts the connection when a write is cancelled, which is the other cause.</summary>
    private void Stop(int cause)
    {
        if (Interlocked.CompareExchange(ref _state, cause, Open) == Open)
            _stopping.Cancel();
    }

    private static partial class Log
    {
        [LoggerMessage(
            1051, LogLevel.Warning, "The reader {Client} of {Path} took less than 16 KiB in {Seconds} s; its connection was closed",
            EventName = "RecordReaderTimedOut")]
        public static partial void ReaderTimedOut(ILogger logger, string client, string path, double seconds);
    }
}
