using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;

namespace Perch.Connections;

/// <summary>A reader that counts each byte once, when the handler first sees it.</summary>
internal sealed class CountingPipeReader(PipeReader inner, CountedProgress progress) : PipeReader
{
    private ReadOnlySequence<byte> _buffer;
    private long _unread;

    /// <summary>Bytes that the handler has seen and not consumed. Read on any thread.</summary>
    public long Unread => Volatile.Read(ref _unread);

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var read = inner.ReadAsync(cancellationToken);
#pragma warning disable VSTHRD103 // It has completed.
        return read.IsCompletedSuccessfully ? new(Count(read.Result)) : WaitAsync(read);
#pragma warning restore VSTHRD103
    }

    public override bool TryRead(out ReadResult result)
    {
        if (!inner.TryRead(out result)) return false;
        Count(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _unread = consumed.Equals(_buffer.End) ? 0 : _buffer.Slice(consumed).Length;
        _buffer = default;
        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read)
    {
        progress.IsReadPending = true;
        try
        {
            return Count(await read);
        }
        catch (SocketException exception)
        {
            // Kestrel's transport lets some errors of the network through as they are, such as that of a peer that answers no probe.
            throw new ConnectionResetException(exception.Message, exception);
        }
        finally
        {
            progress.IsReadPending = false;
        }
    }

    private ReadResult Count(in ReadResult result)
    {
        _buffer = result.Buffer;
        var length = _buffer.Length;
        progress.BytesReceived += length - _unread;
        _unread = length;
        if (result.IsCompleted) progress.HasPeerEnded = true;
        return result;
    }
}
