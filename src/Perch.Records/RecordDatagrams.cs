using System.Buffers;
using System.Threading.Channels;
using Perch.Datagrams;
using Perch.Wire.Framings;

namespace Perch.Records;

/// <summary>
/// Records over UDP: each datagram is one, and what one receive has brought is one batch. The answer, where there is one,
/// leaves when the record is durable. There is nobody to hold back: what the queue before the store has no room for is
/// dropped and counted, and told where records are acknowledged.
/// </summary>
internal sealed class RecordDatagrams : DatagramHandler<RecordOptions>, IAsyncDisposable
{
    /// <summary>Batches on their way at most; each is a receive, so that this is many times what a commit takes.</summary>
    private const int MostBatches = 256;

    private static readonly TimeSpan Tick = TimeSpan.FromSeconds(1);

    private readonly RecordWriter _writer;
    private readonly RecordQueue _queue;
    private readonly TimeProvider _time;
    private readonly RecordAck _ack;
    private readonly RemoteNames _names = new();
    private readonly Channel<RecordDatagramBatch> _inFlight = Channel.CreateUnbounded<RecordDatagramBatch>(new() { SingleReader = true, SingleWriter = true });
    private readonly Lock _lock = new();
    private readonly Stack<RecordDatagramBatch> _free = new();
    private readonly ArrayBufferWriter<byte> _answer = new(RecordAck.MaxTemplateBytes + 64);
    private readonly ITimer _timer;
    private readonly Task _answering;
    private RecordDatagramBatch? _filling;
    private RecordDatagramBatch? _awaited;
    private Task _entering = Task.CompletedTask;
    private int _batches;

    public RecordDatagrams(RecordOptions options, RecordWriter writer, TimeProvider time)
        : base(options)
    {
        (_writer, _queue, _time, _ack) = (writer, writer.NextQueue(), time, new(options.Ack));
        writer.Need();
        _timer = time.CreateTimer(static handler => ((RecordDatagrams)handler!).CheckTime(), this, Tick, Tick);
        _answering = AnswerAsync();
    }

    public override int MaxDatagramBytes => Options.MaxMessageBytes;

    /// <remarks>Syslog senders use any port; an endpoint without <c>Ack</c> takes them all.</remarks>
    public override bool Answers => !_ack.IsSilent;

    public async ValueTask DisposeAsync()
    {
        _inFlight.Writer.Complete();
        await _answering;
        await _timer.DisposeAsync();
    }

    protected override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload)
    {
        if (Options.Framing == Framing.Syslog)
            payload = SyslogFraming.TrimDatagram(payload);
        if (HasRoom(payload.Length))
        {
            _filling ??= NewBatch(context.Endpoint);
            _filling.Add(new(payload), Options.Deduplicate, context.Return, _names.Of(context.Peer));
        }
        else
        {
            context.Endpoint.CountDropped(1);
            if (!_ack.IsSilent && !IsError(payload.Span)) RecordAck.WriteError(context.Reply, "unavailable", 1, int.MaxValue);
        }

        return ValueTask.CompletedTask;
    }

    protected override void OnBurstEnd()
    {
        if (_filling is not { } batch) return;
        _filling = null;
        Interlocked.Increment(ref _batches);
        batch.QueuedAt = _time.GetTimestamp();
        batch.From.Hold();
        // There was room a moment ago. Where others have taken it this batch waits, and no other is begun until it is in.
        var entering = _queue.EnqueueAsync(batch, CancellationToken.None);
        if (!entering.IsCompletedSuccessfully) _entering = entering.AsTask();
        _inFlight.Writer.TryWrite(batch);
    }

    private bool HasRoom(int bytes) =>
        _entering.IsCompleted && Volatile.Read(ref _batches) < MostBatches && _queue.HasRoom((_filling?.Count ?? 0) + 1, (_filling?.Bytes ?? 0) + bytes);

    private async Task AnswerAsync()
    {
        await foreach (var batch in _inFlight.Reader.ReadAllAsync(CancellationToken.None))
        {
            lock (_lock) _awaited = batch;
            var failure = await batch.ResultAsync();
            lock (_lock) _awaited = null;
            if (failure is null) _writer.Metrics.Stored(batch);
            else _writer.Metrics.Refused(batch, failure.Code);
            if (!_ack.IsSilent) Answer(batch, failure);
            Interlocked.Decrement(ref _batches);
            batch.From.Release();
            // One whose time ran out may still be the store's.
            if (failure is not null) continue;
            lock (_lock) _free.Push(batch);
        }
    }

    private void Answer(RecordDatagramBatch batch, RecordStoreException? failure)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            _answer.ResetWrittenCount();
            if (failure is null) _ack.Write(_answer, batch.Id(i));
            else if (IsError(batch.Message(i).Span)) continue;
            else RecordAck.WriteError(_answer, failure.Code, 1, int.MaxValue);
            batch.From.TrySend(batch.Return(i), _answer.WrittenSpan);
        }
    }

    /// <summary>What another such endpoint would say: an error is not answered with an error, though it is a record like any other.</summary>
    private static bool IsError(ReadOnlySpan<byte> message) => message.StartsWith("ERR "u8);

    private void CheckTime()
    {
        lock (_lock)
        {
            if (_awaited is { } batch && _time.GetElapsedTime(batch.QueuedAt) > _writer.Timeout)
                batch.TryComplete(new RecordTimeoutException(_writer.Timeout));
        }
    }

    private RecordDatagramBatch NewBatch(IDatagramEndpoint from)
    {
        RecordDatagramBatch? batch;
        lock (_lock) _free.TryPop(out batch);
        batch ??= new(from);
        batch.Clear(_time.GetUtcNow());
        return batch;
    }
}
