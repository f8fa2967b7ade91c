using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Wire;
using Perch.Wire.Framings;

namespace Perch.Records;

/// <summary>
/// One connection: one loop reads and queues batches, the other awaits them in their order and answers. Reading waits when
/// <c>MaxInFlight</c> batches are on their way, or the queue before the store is full: then the peer's sends wait too.
/// </summary>
internal sealed class RecordSession : IDisposable
{
    /// <summary>About the most of answers that is written before the peer has to take some.</summary>
    private const int FlushThreshold = 64 * 1024;

    private readonly ConnectionContext _connection;
    private readonly RecordOptions _options;
    private readonly RecordAck _ack;
    private readonly RecordWriter _writer;
    private readonly RecordQueue _queue;
    private readonly TimeProvider _time;
    private readonly IPerchConnectionFeature? _feature;
    private readonly CancellationToken _draining;
    private readonly string _remote;
    private readonly SemaphoreSlim _slots;
    private readonly Channel<RecordBatch> _inFlight = Channel.CreateUnbounded<RecordBatch>(new() { SingleReader = true, SingleWriter = true });
    private readonly CancellationTokenSource _leaving = new();
    private readonly Lock _lock = new();
    private readonly Stack<RecordBatch> _free = new();
    private RecordBatch? _awaited;
    private bool _isUsed;
    private bool _peerGone;
    private bool _isOver;

    public RecordSession(ConnectionContext connection, RecordOptions options, RecordAck ack, RecordWriter writer, TimeProvider time)
    {
        (_connection, _options, _ack, _writer, _time) = (connection, options, ack, writer, time);
        _queue = writer.NextQueue();
        _feature = connection.Features.Get<IPerchConnectionFeature>();
        _draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        _remote = _feature?.Peer ?? "";
        _slots = new(options.MaxInFlight);
    }

    public async Task RunAsync()
    {
        using var _ = this;
        _connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static session => ((RecordSession)session).OnHeartbeat(), this);
        await using var drain = _draining.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _connection.Transport.Input);
        var answering = AnswerAsync();
        ProtocolException? violation = null;
        try
        {
            await ReceiveAsync();
        }
        catch (ProtocolException exception)
        {
            violation = exception;
        }
        catch (OperationCanceledException) when (_leaving.IsCancellationRequested)
        {
            // The store failed, and the answers say so.
        }
        finally
        {
            _inFlight.Writer.Complete();
            await answering;
        }

        if (violation is null) return;
        RecordAck.WriteError(_connection.Transport.Output, violation.Code, violation.Message);
        await _connection.Transport.Output.FlushAsync();
        throw violation;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            ForgetFree();
        }

        _slots.Dispose();
        _leaving.Dispose();
    }

    private async Task ReceiveAsync()
    {
        var input = _connection.Transport.Input;
        var frames = new FrameReader(_options.Framing, _options.MaxMessageBytes);
        while (true)
        {
            var read = await input.ReadAsync();
            var draining = _draining.IsCancellationRequested;
            var buffer = read.Buffer;
            var isTaken = false;
            RecordBatch? batch = null;
            ProtocolException? violation = null;
            try
            {
                while (frames.TryRead(ref buffer, read.IsCompleted, out var message))
                {
                    isTaken = true;
                    batch ??= NewBatch(message.Length + buffer.Length);
                    batch.Add(message, _options.Deduplicate);
                    if (!batch.IsFull) continue;
                    await SubmitAsync(batch);
                    batch = null;
                }

                if (read.IsCompleted) frames.EnsureComplete(buffer);
            }
            catch (ProtocolException exception)
            {
                // The whole messages before it are stored and answered first.
                violation = exception;
            }

            var isBetweenMessages = buffer.IsEmpty;
            input.AdvanceTo(buffer.Start, buffer.End);
            var isLast = read.IsCompleted || (draining && (isTaken || isBetweenMessages));
            if (batch is not null) await SubmitAsync(batch);
            if (violation is not null) throw violation;
            if (isLast || _leaving.IsCancellationRequested) return;
        }
    }

    private async ValueTask SubmitAsync(RecordBatch batch)
    {
        await _slots.WaitAsync(_leaving.Token);
        batch.QueuedAt = _time.GetTimestamp();
        batch.QueuedBytes = batch.Held;
        _feature?.CountMemory(batch.QueuedBytes);
        _inFlight.Writer.TryWrite(batch);
        try
        {
            await _queue.EnqueueAsync(batch, _leaving.Token);
        }
        catch (OperationCanceledException)
        {
            // It never got to the writer, which cannot answer it.
            batch.TryComplete(new RecordStoreException("unavailable", "the queue before the store is full"));
            throw;
        }
    }

    private async Task AnswerAsync()
    {
        try
        {
            await AnswerInOrderAsync(_connection.Transport.Output);
        }
        catch
        {
            // Nobody is left to make room for what is read.
            Leave();
            throw;
        }
    }

    private async Task AnswerInOrderAsync(PipeWriter output)
    {
        await foreach (var batch in _inFlight.Reader.ReadAllAsync(CancellationToken.None))
        {
            lock (_lock) _awaited = batch;
            // Where the store hangs, what is behind the first that ran out of time need not wait for a heartbeat each.
            if (_leaving.IsCancellationRequested) CheckTime();
            var failure = await batch.ResultAsync();
            lock (_lock) _awaited = null;
            _feature?.CountMemory(-batch.QueuedBytes);
            if (failure is null) await AcknowledgeAsync(output, batch);
            else await RefuseAsync(output, batch, failure);
            var isFollowed = _inFlight.Reader.TryPeek(out var next) && next.IsCompleted;
            if (!isFollowed || output.UnflushedBytes >= FlushThreshold) await FlushAsync(output);
            // One whose time ran out is the store's still.
            if (failure is not RecordTimeoutException) Keep(batch);
            _slots.Release();
        }
    }

    private async ValueTask AcknowledgeAsync(PipeWriter output, RecordBatch batch)
    {
        _writer.Metrics.Stored(batch);
        PerchTracing.MarkStored("perch.record.rows", batch.Count);
        if (_feature is not null) _feature.Messages += batch.Count;
        for (var next = 0; next < batch.Count && !_peerGone;)
        {
            next = _ack.Write(output, batch, next, FlushThreshold);
            if (next < batch.Count) await FlushAsync(output);
        }
    }

    /// <summary>Tells the sender, and ends the connection where it could not tell which answer is whose, or would not listen.</summary>
    private async ValueTask RefuseAsync(PipeWriter output, RecordBatch batch, RecordStoreException failure)
    {
        _writer.Metrics.Refused(batch, failure.Code);
        // Where nothing answers messages one line tells of all.
        var lines = !_ack.IsSilent ? batch.Count : _leaving.IsCancellationRequested ? 0 : 1;
        while (lines > 0 && !_peerGone)
        {
            lines = RecordAck.WriteError(output, failure.Code, lines, FlushThreshold);
            if (lines > 0) await FlushAsync(output);
        }

        if (!_ack.IsSilent && failure is not RecordTimeoutException) return;
        _feature?.TrySetOutcome(ConnectionOutcome.StorageUnavailable);
        Leave();
    }

    /// <summary>Leaves on another thread, unless the session is over.</summary>
    private void LeaveSoon()
    {
        lock (_lock)
        {
            if (_isOver)
                return;
            _ = _leaving.CancelAsync();
        }

        _connection.Transport.Input.CancelPendingRead();
    }

    private void Leave()
    {
        _leaving.Cancel();
        _connection.Transport.Input.CancelPendingRead();
    }

    private async ValueTask FlushAsync(PipeWriter output)
    {
        if (output.UnflushedBytes > 0 && !_peerGone) _peerGone = (await output.FlushAsync()).IsCompleted;
    }

    /// <summary>Once a second.</summary>
    private void OnHeartbeat()
    {
        CheckTime();
        ReleaseUnused();
        // Its batch waits for room in the queue, and nothing else would free it before the store is quick again.
        if (_feature?.Outcome == ConnectionOutcome.MemoryPressure)
            LeaveSoon();
    }

    /// <summary>A record whose time is over is refused, though it may yet be stored.</summary>
    private void CheckTime()
    {
        var now = _time.GetTimestamp();
        // A batch that is answered meanwhile may be filled again, and that one's time is not over.
        lock (_lock)
        {
            if (_awaited is { } batch && _time.GetElapsedTime(batch.QueuedAt, now) > _writer.Timeout)
                batch.TryComplete(new RecordTimeoutException(_writer.Timeout));
        }
    }

    /// <summary>Where nothing came for a heartbeat, one small batch stays for what comes next.</summary>
    private void ReleaseUnused()
    {
        lock (_lock)
        {
            if (!_isUsed && _free.TryPop(out var batch))
            {
                _writer.EndKeep(batch.Held);
                ForgetFree();
                batch.Shrink();
                if (_writer.TryKeep(batch.Held))
                    _free.Push(batch);
            }

            _isUsed = false;
        }
    }

    /// <param name="bytes">Bytes that are about to be added.</param>
    private RecordBatch NewBatch(long bytes)
    {
        lock (_lock)
        {
            _isUsed = true;
            if (_free.TryPop(out var batch))
                _writer.EndKeep(batch.Held);
            else
                batch = new(_feature?.Endpoint ?? "", _remote);
            batch.Clear(_time.GetUtcNow());
            batch.Expect(bytes);
            return batch;
        }
    }

    private void ForgetFree()
    {
        while (_free.TryPop(out var batch))
            _writer.EndKeep(batch.Held);
    }

    private void Keep(RecordBatch batch)
    {
        lock (_lock)
        {
            if (_writer.TryKeep(batch.Held))
                _free.Push(batch);
        }
    }
}
