using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Endpoints;

namespace Perch.Datagrams;

/// <summary>
/// The server of one UDP endpoint: a thread that receives what has come, hands each datagram to the handler, sends the
/// replies together, and waits for nothing but the next datagram. A handler that is not done at once keeps its datagram;
/// another takes the place in the ring, as many as the guards allow.
/// </summary>
internal sealed partial class DatagramServer : IEndpointServer, IDatagramEndpoint
{
    /// <summary>What the receive buffer is asked to hold where the endpoint does not say.</summary>
    private const int DefaultReceiveBuffer = 1024 * 1024;

    /// <summary>What is still taken from the receive buffer when the drain has begun, at most.</summary>
    private const int LastBatches = 64;

    /// <summary>Anybody can forge a source port: the lines must not hide others.</summary>
    private static readonly TimeSpan RefusedPortInterval = TimeSpan.FromMinutes(1);

    /// <summary>Free datagrams that are kept for the next burst: 4 MiB.</summary>
    private const int MaxSpare = 64;

    private static readonly TimeSpan ErrorPause = TimeSpan.FromMilliseconds(10);

    private readonly Endpoint _owner;
    private readonly PipelineServices _services;
    private readonly DatagramChannel _channel;
    private volatile DatagramTraffic _traffic;
    private readonly ReplyGate _gate;
    private readonly DatagramFailures _failures;
    private readonly LogGate _errors;
    private readonly LogGate _refusedPorts;
    private readonly DatagramContext[] _ring = new DatagramContext[DatagramChannel.BatchSize];
    private readonly DatagramContext[] _replies = new DatagramContext[DatagramChannel.BatchSize];
    private readonly Lock _lock = new();
    private readonly Stack<DatagramContext> _spare = new();
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenSource _aborted = new();

    /// <summary>Pulsed when the stop begins. Not an event that is disposed: a thread whose handler blocks outlives the stop.</summary>
    private readonly object _stopped = new();
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly SessionTable _sessions;
    private volatile bool _stopping;
    private volatile bool _leaving;
    private volatile bool _threadLeft;
    private bool _closed;
    private int _inHand;
    private long _number;

    /// <summary>The thread, each handler that is not done, and each answer that is to come; at 0 the socket is closed.</summary>
    private int _holds = 1;

    private DatagramServer(DatagramChannel channel, Endpoint owner, PipelineServices services)
    {
        (_channel, _owner, _services, Name) = (channel, owner, services, owner.Config.Name);
        _traffic = services.Registry.TrafficOf(Name, owner.Config.Protocol.Name).Datagrams();
        _gate = new(services.Time);
        _failures = new(Name, services);
        _errors = new(services.Time);
        _refusedPorts = new(services.Time, RefusedPortInterval);
        _sessions = new(this, channel, owner, services);
        (Draining, Aborted) = (_draining.Token, _aborted.Token);
        for (var i = 0; i < _ring.Length; i++) _ring[i] = new(this);
        services.SourcePorts.Add(LocalEndPoint.Port);
        _traffic.Attach(this);
        try
        {
            new Thread(Run) { IsBackground = true, Name = $"perch udp {Name}" }.Start();
        }
        catch
        {
            Close();
            throw;
        }
    }

    public string Name { get; }

    internal DatagramTraffic Traffic => _traffic;

    internal bool IsStopping => _stopping;

    public IPEndPoint LocalEndPoint => _channel.LocalEndPoint;

    public CancellationToken Draining { get; }

    /// <summary>Cancelled when the drain's time is over.</summary>
    public CancellationToken Aborted { get; }

    public int? Port => LocalEndPoint.Port;

    public Task Released => _released.Task;

    public void Apply(GuardOptions guards)
    {
        // The receive loop reads the guards of UDP from the endpoint's settings.
    }

    /// <summary>Bytes of memory of the datagrams whose handlers are not done.</summary>
    public long BytesHeld => InHand * (long)DatagramContext.BufferBytes;

    public int InHand => Volatile.Read(ref _inHand);

    public long KernelDrops => _channel.KernelDrops;

    /// <exception cref="SocketException">The socket cannot be bound.</exception>
    public static DatagramServer Start(ListenAddress listen, Endpoint owner, PipelineServices services)
    {
        var channel = DatagramChannel.Open(listen);
        try
        {
            var granted = channel.SetReceiveBuffer(listen.ReceiveBufferBytes ?? DefaultReceiveBuffer);
            if (granted < listen.ReceiveBufferBytes) Log.SmallBuffer(services.DatagramLogger, owner.Config.Name, listen.ReceiveBufferBytes.Value, granted);
            return new DatagramServer(channel, owner, services);
        }
        catch
        {
            channel.Dispose();
            throw;
        }
    }

    public async Task StopAsync(CancellationToken abort)
    {
        _stopping = true;
        lock (_stopped) Monitor.PulseAll(_stopped);
        // Dialogues at this port hear their peers until they are over; then the last of them stops it.
        if (!_sessions.AnyAtEndpoint) StopReceiving();
        await using var aborting = abort.UnsafeRegister(static server => ((DatagramServer)server!).Abort(), this);
        await _draining.CancelAsync();
        await Released;
    }

    public void Dispose()
    {
        _draining.Dispose();
        _aborted.Dispose();
    }

    public void Hold() => Interlocked.Increment(ref _holds);

    public void Release()
    {
        if (Interlocked.Decrement(ref _holds) == 0) Close();
    }

    public void CountDropped(int datagrams) => _traffic.Drop(DropReason.Queue, datagrams);

    public bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload)
    {
        if (!MaySend(to.Peer, payload.Length, to.Budget)) return false;
        if (!_channel.TrySend(to, payload))
        {
            _traffic.Drop(DropReason.Send);
            return false;
        }

        _traffic.AddSent(1, payload.Length);
        return true;
    }

    public void CountMalformed(int datagrams) => _traffic.Drop(DropReason.Malformed, datagrams);

    public bool TryStartSession(in ReturnAddress with, SessionPort port, Func<DatagramSession, Task> serve, Func<Task>? rejected = null)
    {
        if (_stopping || _owner.TryEnter() is not { } pipeline) return false;
        if (_sessions.TryStart(with, port, serve, rejected, pipeline)) return true;
        pipeline.Leave();
        return false;
    }

    /// <summary>The receive thread takes what has arrived, and leaves.</summary>
    internal void StopReceiving()
    {
        _leaving = true;
        _channel.StopReceiving();
    }

    internal bool MaySend(in PeerAddress peer, int payload, int budget) =>
        _gate.MaySend(_traffic, peer, payload, budget, _owner.Config.Guards.RepliesPerSecond, _services.Time.GetTimestamp());

    /// <summary>A handler that had to wait is done.</summary>
    internal void Complete(DatagramContext context)
    {
        var pipeline = context.Pipeline;
        var isReply = false;
        try
        {
            context.ThrowIfFailed();
            isReply = context.ReplyBuffer.IsWritten;
        }
        catch (Exception exception)
        {
            isReply = _failures.TryWriteReply(context, exception);
        }

        if (isReply && pipeline.Answers) TrySend(context.Return, context.ReplyBuffer.Written);
        lock (_lock)
        {
            if (_spare.Count < MaxSpare)
                _spare.Push(context);
        }

        Interlocked.Decrement(ref _inHand);
        pipeline.Owner.Leave();
        Release();
    }

    private void Run()
    {
        for (var last = 0; last < LastBatches;)
        {
            try
            {
                var count = _channel.Receive(_ring);
                if (_leaving) last = count == 0 ? LastBatches : last + 1;
                if (count > 0 && !TryServe(count)) break;
            }
            catch (Exception exception)
            {
                if (_errors.TryPass(out var held)) Log.ReceiveFailed(_services.DatagramLogger, exception, Name, held);
                if (_leaving) break;
                // A socket that always fails would else take a whole processor.
                lock (_stopped)
                {
                    if (!_stopping) Monitor.Wait(_stopped, ErrorPause);
                }
            }
        }

        _threadLeft = true;
        Release();
        if (Aborted.IsCancellationRequested) Close();
    }

    /// <returns>False where the endpoint is gone.</returns>
    private bool TryServe(int count)
    {
        if (_owner.TryEnter() is not { } entered) return false;
        try
        {
            var pipeline = entered.Datagrams!;
            if (pipeline.Traffic != _traffic) CountFor(pipeline.Traffic);
            var (replies, bytes, now) = (0, 0L, _services.Time.GetTimestamp());
            var timing = pipeline.StartTiming();
            var handled = 0;
            for (var i = 0; i < count; i++)
            {
                var context = _ring[i];
                if (_sessions.TryDeliver(context)) continue;
                bytes += context.Length;
                if (!MayHandle(context, pipeline)) continue;
                handled++;
                var isReply = Handle(context, pipeline, i);
                timing = pipeline.StopTiming(timing);
                if (!isReply || !pipeline.Answers) continue;
                if (_gate.MaySend(pipeline.Traffic, context.Peer, context.ReplyBuffer.Length, context.Budget, pipeline.Guards.RepliesPerSecond, now)) _replies[replies++] = context;
            }

            pipeline.Handler.OnBurstEnd();
            _traffic.AddReceived(count, bytes);
            _traffic.AddMessages(handled);
            if (replies > 0) SendReplies(replies);
        }
        finally
        {
            entered.Leave();
        }

        return true;
    }

    private bool MayHandle(DatagramContext context, EndpointDatagrams pipeline)
    {
        if (context.IsTruncated || context.Length > pipeline.MaxBytes) _traffic.Drop(DropReason.Truncated);
        else if (pipeline.Answers && IsRefusedPort(context, pipeline)) DropForPort(context.Peer);
        else if (InHand >= pipeline.Guards.MaxDatagramsInHand) _traffic.Drop(DropReason.Queue);
        else return true;
        return false;
    }

    private bool IsRefusedPort(DatagramContext context, EndpointDatagrams pipeline)
    {
        var port = context.Peer.Port;
        // Port 0 cannot be answered.
        return _services.SourcePorts.IsRefused(port) && (port == 0 || !pipeline.Handler.AcceptsFromReflectorPort(context.Payload.Span));
    }

    private void DropForPort(in PeerAddress peer)
    {
        _traffic.Drop(DropReason.SourcePort);
        if (_refusedPorts.TryPass(out var held)) Log.SourcePortRefused(_services.DatagramLogger, Name, peer, held);
    }

    /// <summary>The endpoint has another protocol, and its numbers another label.</summary>
    private void CountFor(DatagramTraffic traffic)
    {
        _traffic.Detach(this);
        traffic.Attach(this);
        _traffic = traffic;
    }

    /// <returns>Whether there is a reply to send now.</returns>
    private bool Handle(DatagramContext context, EndpointDatagrams pipeline, int place)
    {
        context.Begin(pipeline, _number++);
        try
        {
            var handling = pipeline.Handler.OnDatagramAsync(context, context.Payload);
            if (!handling.IsCompleted)
            {
                Detach(context, pipeline, place, handling);
                return false;
            }

#pragma warning disable VSTHRD002, CA1849 // It has completed.
            handling.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002, CA1849
            return context.ReplyBuffer.IsWritten;
        }
        catch (Exception exception)
        {
            return _failures.TryWriteReply(context, exception);
        }
    }

    /// <summary>The handler keeps its datagram; another takes the place, before the handler can be done.</summary>
    private void Detach(DatagramContext context, EndpointDatagrams pipeline, int place, in ValueTask handling)
    {
        pipeline.Owner.TryEnter();
        Interlocked.Increment(ref _inHand);
        Hold();
        DatagramContext? spare;
        lock (_lock) _spare.TryPop(out spare);
        _ring[place] = spare ?? new(this);
        context.Await(handling);
    }

    private void SendReplies(int count)
    {
        var replies = _replies.AsSpan(0, count);
        var taken = _channel.Send(replies, out var bytes);
        _traffic.AddSent(taken, bytes);
        if (taken < count) _traffic.Drop(DropReason.Send, count - taken);
    }

    private void Abort()
    {
        _aborted.Cancel();
        StopReceiving();
        if (_threadLeft) Close();
        // A handler that blocks the thread has the socket until it is done; nobody waits for that.
        _released.TrySetResult();
    }

    /// <summary>Nobody receives, and nobody has anything to send any more, or is allowed to.</summary>
    private void Close()
    {
        lock (_lock)
        {
            if (_closed) return;
            _closed = true;
        }

        _channel.Dispose();
        _services.SourcePorts.Remove(LocalEndPoint.Port);
        _traffic.Detach(this);
        _released.TrySetResult();
    }

    private static partial class Log
    {
        [LoggerMessage(3000, LogLevel.Warning, "Endpoint {Endpoint} asked for a receive buffer of {Asked} bytes and has {Granted}: raise net.core.rmem_max (sysctl), or lower ReceiveBufferBytes", EventName = "ReceiveBufferSmall")]
        public static partial void SmallBuffer(ILogger logger, string endpoint, int asked, int granted);

        [LoggerMessage(EventId = 3004, Level = LogLevel.Warning, EventName = "SourcePortRefused", Message =
            "Endpoint {Endpoint} dropped a datagram of {Peer}: its source port is that of a service that would answer the answer; "
            + "{Held} more since the last such line")]
        public static partial void SourcePortRefused(ILogger logger, string endpoint, PeerAddress peer, long held);

        [LoggerMessage(3002, LogLevel.Warning, "Endpoint {Endpoint} could not receive; {Held} more since the last such line", EventName = "DatagramReceiveFailed")]
        public static partial void ReceiveFailed(ILogger logger, Exception exception, string endpoint, long held);
    }
}
