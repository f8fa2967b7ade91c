using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Messages;
using Perch.Wire;

namespace Perch.Records;

/// <summary>One connection of an endpoint with <c>Once</c>: one message, which is stored and answered.</summary>
internal sealed partial class RecordOnceSession(
    ConnectionContext connection, RecordOptions options, RecordAck ack, RecordWriter writer, TimeProvider time, ILogger logger)
{
    private readonly IPerchConnectionFeature? _feature = connection.Features.Get<IPerchConnectionFeature>();
    private readonly CancellationToken _draining =
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
    private volatile RecordBatch? _queued;

    private PipeWriter Output => connection.Transport.Output;

    private string Endpoint => _feature?.Endpoint ?? "";

    public async Task RunAsync()
    {
        using var once = new OnceReader(connection, options.OnceQuietTime, time);
        // A connection that has sent nothing yet ends with the drain; a message that has begun is finished.
        await using var drain = _draining.UnsafeRegister(
            static input => ((PipeReader)input!).CancelPendingRead(), connection.Transport.Input);
        var isStored = false;
        try
        {
            if (await ReceiveAsync(once) is not { } batch)
                return;
            var failure = await StoreAsync(batch);
            isStored = failure is null;
            if (failure is null)
                Acknowledge(once, batch);
            else
                Refuse(batch, failure);
        }
        catch (ProtocolException violation)
        {
            RecordAck.WriteError(Output, violation.Code, violation.Message);
            await FinishAsync(once, onBytes: null);
            throw;
        }

        await FinishAsync(once, isStored ? () => Log.Late(logger, Endpoint) : null);
    }

    /// <returns>The message; null if there is none.</returns>
    /// <exception cref="ProtocolException"><c>too-long</c>.</exception>
    private async ValueTask<RecordBatch?> ReceiveAsync(OnceReader once)
    {
        while (true)
        {
            var read = await once.ReadAsync();
            var message = read.Buffer;
            var isWhole = read.IsCompleted;
            RecordBatch? batch = null;
            if (isWhole && !message.IsEmpty && message.Length <= options.MaxMessageBytes)
            {
                batch = new(Endpoint, _feature?.Peer ?? "");
                batch.Clear(time.GetUtcNow());
                batch.Add(message, options.Deduplicate);
            }

            var length = message.Length;
            once.AdvanceTo(isWhole ? message.End : message.Start, message.End);
            if (length > options.MaxMessageBytes)
                throw new ProtocolException("too-long", $"A message may have at most {options.MaxMessageBytes} bytes.");
            if (isWhole || (length == 0 && _draining.IsCancellationRequested))
                return batch;
        }
    }

    private async ValueTask<RecordStoreException?> StoreAsync(RecordBatch batch)
    {
        using var leaving = new CancellationTokenSource();
        batch.QueuedAt = time.GetTimestamp();
        _queued = batch;
        connection.Features.Get<IConnectionHeartbeatFeature>()?
            .OnHeartbeat(static session => ((RecordOnceSession)session).CheckTime(), this);
        var entering = writer.NextQueue().EnqueueAsync(batch, leaving.Token);
        var failure = await batch.ResultAsync();
        _queued = null;
        try
        {
            // A batch whose time is over leaves the queue if it still waits for room there.
            await leaving.CancelAsync();
            await entering;
        }
        catch (OperationCanceledException)
        {
            // The writer never had it.
        }

        return failure;
    }

    /// <summary>Called once a second: a record whose time is over is refused, though it may yet be stored.</summary>
    private void CheckTime()
    {
        if (_queued is { } batch && time.GetElapsedTime(batch.QueuedAt) > writer.Timeout)
            batch.TryComplete(new RecordTimeoutException(writer.Timeout));
    }

    /// <exception cref="ProtocolException"><c>more</c>.</exception>
    private void Acknowledge(OnceReader once, RecordBatch batch)
    {
        writer.Metrics.Stored(batch);
        PerchTracing.MarkStored("perch.record.rows", batch.Count);
        if (_feature is not null)
            _feature.Messages++;
        if (once.DropFurtherBytes())
        {
            Log.StoredInPart(logger, batch.Id(0), batch.Bytes, Endpoint);
            throw new ProtocolException("more", $"Bytes came after the message had ended; its first {batch.Bytes} bytes are stored.");
        }

        ack.Write(Output, batch, from: 0, int.MaxValue);
        _feature?.TrySetOutcome(ConnectionOutcome.Completed);
    }

    private void Refuse(RecordBatch batch, RecordStoreException failure)
    {
        writer.Metrics.Refused(batch, failure.Code);
        RecordAck.WriteError(Output, failure.Code, records: 1, int.MaxValue);
        _feature?.TrySetOutcome(ConnectionOutcome.StorageUnavailable);
    }

    /// <summary>Sends the answer, and leaves the peer the time to read it.</summary>
    private async ValueTask FinishAsync(OnceReader once, Action? onBytes)
    {
        await Output.FlushAsync();
        await once.DropToEndAsync(onBytes, _draining);
    }

    private static partial class Log
    {
        [LoggerMessage(4430, LogLevel.Warning, "Record {Id} of endpoint {Endpoint} has only the first {Bytes} bytes of its message: "
            + "the client paused for longer than OnceQuietTime, or sent a second message", EventName = "RecordStoredInPart")]
        public static partial void StoredInPart(ILogger logger, long id, int bytes, string endpoint);

        [LoggerMessage(4431, LogLevel.Warning, "Bytes came after the answer on endpoint {Endpoint} and were dropped: "
            + "the client paused for longer than OnceQuietTime, or sent a second message", EventName = "RecordBytesDropped")]
        public static partial void Late(ILogger logger, string endpoint);
    }
}
