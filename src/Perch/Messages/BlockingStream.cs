using System.Buffers;
using System.IO.Pipelines;
using Perch.Connections;

namespace Perch.Messages;

#pragma warning disable VSTHRD002 // To block is what this stream is for; the thread is the handler's own.

/// <summary>
/// A connection as a stream that blocks. Only the handler's own thread waits here, never a thread of the pool.
/// </summary>
internal sealed class BlockingStream : Stream
{
    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly BlockingContext _context;
    private int _readTimeout;
    private int _writeTimeout;

    public BlockingStream(IDuplexPipe transport, BlockingContext context, TimeSpan readTimeout, TimeSpan writeTimeout)
    {
        (_input, _output, _context) = (transport.Input, transport.Output, context);
        ReadTimeout = Milliseconds(readTimeout);
        WriteTimeout = Milliseconds(writeTimeout);
        context.CancelReadOnDrain(_input);
    }

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override bool CanTimeout => true;

    /// <summary>In milliseconds; -1 waits for ever.</summary>
    public override int ReadTimeout
    {
        get => _readTimeout;
        set => _readTimeout = CheckTimeout(value);
    }

    /// <summary>In milliseconds; -1 waits for ever.</summary>
    public override int WriteTimeout
    {
        get => _writeTimeout;
        set => _writeTimeout = CheckTimeout(value);
    }

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(Span<byte> buffer)
    {
        while (true)
        {
            // The drain cancels one read; those that come after it take what is there, and wait for nothing.
            var leaving = _context.Draining.IsCancellationRequested && !_context.MessageInHand;
            ReadResult read;
            if (!leaving) read = WaitRead();
            else if (!_input.TryRead(out read)) return 0;
            // Counted before the advance, which gives the memory under the sequence back.
            var length = (int)Math.Min(read.Buffer.Length, buffer.Length);
            var taken = read.Buffer.Slice(0, length);
            taken.CopyTo(buffer);
            _input.AdvanceTo(taken.End);
            if (length > 0 || read.IsCompleted || buffer.IsEmpty) return length;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <summary>Sends at once, and returns when the transport has taken it.</summary>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _output.Write(buffer);
        var flush = _output.FlushAsync();
        if (flush.IsCompletedSuccessfully)
        {
            ThrowIfGone(flush.Result);
            return;
        }

        var flushing = flush.AsTask();
        if (Task.WaitAny([flushing], _writeTimeout) < 0) throw TimedOut(ConnectionOutcome.WriteTimeout, "write", _writeTimeout);
        ThrowIfGone(flushing.GetAwaiter().GetResult());
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // Every write is sent at once.
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private ReadResult WaitRead()
    {
        var read = _input.ReadAsync();
        if (read.IsCompletedSuccessfully) return read.Result;
        var reading = read.AsTask();
        if (Task.WaitAny([reading], _readTimeout) < 0)
        {
            _input.CancelPendingRead();
            var late = reading.GetAwaiter().GetResult();
            if (!late.IsCanceled) return late;
            _input.AdvanceTo(late.Buffer.Start);
            throw TimedOut(ConnectionOutcome.IdleTimeout, "read", _readTimeout);
        }

        return reading.GetAwaiter().GetResult();
    }

    private TimeoutException TimedOut(ConnectionOutcome outcome, string what, int milliseconds)
    {
        _context.SetOutcome(outcome);
        return new($"The {what} took longer than {milliseconds} ms.");
    }

    private static void ThrowIfGone(FlushResult flush)
    {
        if (flush.IsCompleted) throw new Microsoft.AspNetCore.Connections.ConnectionResetException("The peer is gone.");
    }

    private static int CheckTimeout(int milliseconds)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(milliseconds, Timeout.Infinite);
        return milliseconds;
    }

    private static int Milliseconds(TimeSpan timeout) =>
        timeout == TimeSpan.Zero ? Timeout.Infinite : (int)Math.Min(timeout.TotalMilliseconds, int.MaxValue);
}
