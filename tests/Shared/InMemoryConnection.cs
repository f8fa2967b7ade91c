using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Perch.Connections;

namespace Perch.Tests.Shared;

/// <summary>
/// A connection without a socket that behaves as one of a transport: the end of both directions or an abort closes it. Outside the
/// pipeline, which does so itself, it asks for the end and gives the heartbeats as Kestrel would. Time passes as a test says.
/// </summary>
internal sealed class InMemoryConnection : ConnectionContext, IConnectionLifetimeNotificationFeature, IConnectionHeartbeatFeature
{
    private readonly Pipe _toServer;
    private readonly Pipe _toClient;
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _drain = new();
    private readonly List<(Action<object> Action, object State)> _heartbeats = [];
    private readonly Duplex _transport;

    /// <param name="pauseThreshold">How many unread bytes of either side make the other's flush wait.</param>
    /// <param name="scheduler">
    /// Who goes on when bytes arrive; <see cref="PipeScheduler.Inline"/> runs the server within <see cref="SendAsync(string)"/>
    /// until it waits again. Default: the thread pool.
    /// </param>
    public InMemoryConnection(long pauseThreshold = 64 * 1024, PipeScheduler? scheduler = null)
    {
        var options = new PipeOptions(readerScheduler: scheduler, writerScheduler: scheduler,
            pauseWriterThreshold: pauseThreshold, resumeWriterThreshold: pauseThreshold / 2, useSynchronizationContext: false);
        (_toServer, _toClient) = (new Pipe(options), new Pipe(options));
        _transport = new Duplex(new ClosingReader(_toServer.Reader, this), new ClosingWriter(_toClient.Writer, this));
        Transport = _transport;
        ConnectionClosed = _closed.Token;
        ConnectionClosedRequested = _drain.Token;
        Features.Set<IConnectionLifetimeNotificationFeature>(this);
        Features.Set<IConnectionHeartbeatFeature>(this);
        RemoteEndPoint = new IPEndPoint(IPAddress.Loopback, 50000);
    }

    public override string ConnectionId { get; set; } = Guid.NewGuid().ToString("N");

    public override IFeatureCollection Features { get; } = new FeatureCollection();

    public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

    public override IDuplexPipe Transport { get; set; }

    public CancellationToken ConnectionClosedRequested { get; set; }

    /// <summary>False for a transport that is still sending when both directions have ended: <see cref="FinishClosing"/> closes it.</summary>
    public bool ClosesByItself { get; init; } = true;

    /// <summary>Why the server aborted it, or null.</summary>
    public ConnectionAbortedException? AbortReason { get; private set; }

    /// <summary>What the client reads.</summary>
    public PipeReader ClientInput => _toClient.Reader;

    public void RequestClose()
    {
        if (ConnectionState.Of(this) is { } served) served.RequestClose();
        else _drain.Cancel();
    }

    public void OnHeartbeat(Action<object> action, object state) => _heartbeats.Add((action, state));

    /// <summary>A second is over: the timeouts are looked at, and the heartbeat comes.</summary>
    public void Heartbeat()
    {
        if (ConnectionState.Of(this) is { } served)
        {
            served.Timeouts?.Check(served);
            served.Heartbeat();
        }

        foreach (var (action, state) in _heartbeats) action(state);
    }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        AbortReason ??= abortReason;
        _toServer.Writer.Complete(abortReason);
        _toClient.Reader.Complete();
        _closed.Cancel();
    }

    public override async ValueTask DisposeAsync()
    {
        await _transport.Input.CompleteAsync();
        await _transport.Output.CompleteAsync();
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var _ = _closed.Token.UnsafeRegister(static closed => ((TaskCompletionSource)closed!).TrySetResult(), closed);
        await closed.Task;
        await base.DisposeAsync();
    }

    /// <summary>The client sends; returns when the server has room for it.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _toServer.Writer.WriteAsync(bytes);

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    /// <summary>The client closes its side.</summary>
    public void EndInput() => _toServer.Writer.Complete();

    /// <summary>The transport has sent everything and closes the socket.</summary>
    public void FinishClosing() => _closed.Cancel();

    /// <summary>The client resets the connection.</summary>
    public void Reset()
    {
        _toServer.Writer.Complete(new ConnectionResetException("reset"));
        _toClient.Reader.Complete();
        _closed.Cancel();
    }

    /// <summary>The client reads exactly so many bytes.</summary>
    public async Task<byte[]> ReceiveAsync(int count)
    {
        var read = await ClientInput.ReadAtLeastAsync(count);
        var bytes = read.Buffer.Slice(0, count).ToArray();
        ClientInput.AdvanceTo(read.Buffer.GetPosition(count));
        return bytes;
    }

    public async Task<string> ReceiveTextAsync(int bytes) => Encoding.UTF8.GetString(await ReceiveAsync(bytes));

    /// <summary>The client reads until the server closes.</summary>
    public async Task<byte[]> ReceiveToEndAsync()
    {
        using var all = new MemoryStream();
        await ClientInput.CopyToAsync(all);
        return all.ToArray();
    }

    private void CloseWhenBothEnded(ref int ended)
    {
        ended = 1;
        if (ClosesByItself && _inputEnded + _outputEnded == 2) _ = _closed.CancelAsync();
    }

    private int _inputEnded;
    private int _outputEnded;

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class ClosingReader(PipeReader inner, InMemoryConnection connection) : PipeReader
    {
        public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null)
        {
            inner.Complete(exception);
            connection.CloseWhenBothEnded(ref connection._inputEnded);
        }

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) => inner.ReadAsync(cancellationToken);

        public override bool TryRead(out ReadResult result) => inner.TryRead(out result);
    }

    private sealed class ClosingWriter(PipeWriter inner, InMemoryConnection connection) : PipeWriter
    {
        public override bool CanGetUnflushedBytes => true;

        public override long UnflushedBytes => inner.UnflushedBytes;

        public override void Advance(int bytes) => inner.Advance(bytes);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null)
        {
            inner.Complete(exception);
            connection.CloseWhenBothEnded(ref connection._outputEnded);
        }

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => inner.FlushAsync(cancellationToken);

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);
    }
}
