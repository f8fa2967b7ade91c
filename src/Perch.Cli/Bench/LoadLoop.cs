using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>
/// A load on one thread: sockets that do not block, one poller, no allocation for a message. What differs between the modes is in
/// the classes that derive from it.
/// </summary>
internal abstract class LoadLoop(EndPoint address, BenchOptions options, BenchProgress progress, BenchPattern pattern, bool isEdgeTriggered = false) : IDisposable
{
    protected static readonly double NanosecondsPerTick = 1e9 / Stopwatch.Frequency;

    private const int MostConnecting = 256;
    private const int SeriesPerSecond = 10;
    private const int LongestWait = 20;

    private readonly List<long> _series = [];
    private long _nextSample;
    private long _sampled;

    protected EndPoint Address { get; } = address;

    protected BenchOptions Options { get; } = options;

    protected BenchProgress Progress { get; } = progress;

    protected BenchPattern Pattern { get; } = pattern;

    protected IPoller Poller { get; } = OperatingSystem.IsLinux() ? new EpollPoller(isEdgeTriggered) : new SelectPoller();

    protected byte[] Buffer { get; } = new byte[BenchPattern.WindowBytes];

    protected LoadConnection[] Connections { get; } = [.. Enumerable.Range(0, options.Connections).Select(id => new LoadConnection(id))];

    /// <summary>Runs it to its end; blocks its thread.</summary>
    /// <exception cref="CliException">No connection came up.</exception>
    public BenchResult Run(string target, CancellationToken cancellationToken)
    {
        var connecting = Stopwatch.GetTimestamp();
        Open(cancellationToken);
        var connectSeconds = Stopwatch.GetElapsedTime(connecting).TotalSeconds;
        var begin = Stopwatch.GetTimestamp() + Ticks(Options.WarmUp);
        long measured = 0, end = long.MaxValue;
        double clientCpu = 0;
        double? serverCpu = null;
        Begin(Stopwatch.GetTimestamp());
        while (!cancellationToken.IsCancellationRequested)
        {
            var now = Stopwatch.GetTimestamp();
            if (!Progress.IsMeasuring && now >= begin)
            {
                Progress.Latency.Clear();
                (Progress.Messages, Progress.Bytes, Progress.Lost, Progress.Unsent) = (0, 0, 0, 0);
                (clientCpu, serverCpu) = (ProcessorTime.OfThisProcess(), ProcessorTime.Of(Options.ServerProcess));
                (measured, end) = (now, now + Ticks(Options.Duration));
                (_nextSample, _sampled) = (now, 0);
                Progress.IsMeasuring = true;
            }

            if (now >= end || (Progress.Up == 0 && !OpensAgain)) break;
            Sample(now);
            foreach (var ready in Poller.Wait(Math.Min(LongestWait, Tick(now)))) Handle(ready);
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (measured == 0) throw new CliException(ExitCode.Refused, $"No connection lasted until the measurement: {Progress.FirstError}");
        var seconds = Math.Max(Stopwatch.GetElapsedTime(measured).TotalSeconds, 1e-3);
        clientCpu = ProcessorTime.OfThisProcess() - clientCpu;
        serverCpu = ProcessorTime.Of(Options.ServerProcess) - serverCpu;
        End(Stopwatch.GetTimestamp());
        return new(target, Options, Progress, seconds, connectSeconds, clientCpu, serverCpu, _series);
    }

    public void Dispose()
    {
        foreach (var connection in Connections) connection.Socket?.Dispose();
        Poller.Dispose();
    }

    /// <summary>Whether a connection that has ended is replaced.</summary>
    protected virtual bool OpensAgain => false;

    /// <summary>All connections are up.</summary>
    protected virtual void Begin(long now)
    {
    }

    /// <summary>The measurement is over; what waits still may be counted.</summary>
    protected virtual void End(long now)
    {
    }

    /// <summary>Before each wait.</summary>
    /// <returns>How long the wait may be, in milliseconds.</returns>
    protected virtual int Tick(long now) => LongestWait;

    /// <summary>A connect has succeeded.</summary>
    protected virtual void Connected(LoadConnection connection, long now)
    {
    }

    /// <param name="connection">Which.</param>
    /// <param name="isEnding">Behind the bytes that are there is the end.</param>
    protected abstract void Readable(LoadConnection connection, bool isEnding);

    protected abstract void Writable(LoadConnection connection);

    protected static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    protected void Record(long since, long now, int times = 1)
    {
        if (Progress.IsMeasuring) Progress.Latency.Record((long)((now - since) * NanosecondsPerTick), times);
    }

    protected void SetWrite(LoadConnection connection, bool wantsWrite)
    {
        if (connection.WantsWrite == wantsWrite) return;
        connection.WantsWrite = wantsWrite;
        Poller.Change(connection.Socket!, connection.Id, wantsWrite);
    }

    /// <summary>Begins to connect; how it went is told by the poller.</summary>
    protected void Connect(LoadConnection connection)
    {
        var isUnix = Address.AddressFamily == AddressFamily.Unix;
        var socket = new Socket(Address.AddressFamily, SocketType.Stream, isUnix ? ProtocolType.Unspecified : ProtocolType.Tcp) { Blocking = false };
        if (!isUnix) socket.NoDelay = true;
        connection.Reset();
        (connection.Socket, connection.StartedAt, connection.WantsWrite) = (socket, Stopwatch.GetTimestamp(), true);
        try
        {
            SourceAddress.Spread(socket, Address, OpensAgain);
            socket.Connect(Address);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            // As it is meant.
        }
        catch (SocketException exception)
        {
            Drop(connection, Failure.Of(exception)!.Text);
            return;
        }

        Poller.Add(socket, connection.Id, wantsWrite: true);
    }

    protected void Drop(LoadConnection connection, string? fault)
    {
        if (fault is not null) Progress.Fail(fault);
        if (connection.IsUp) Progress.Up--;
        if (connection.Socket is { } socket)
        {
            // Closing takes it out of the poller, where it is in.
            if (Poller is SelectPoller) Poller.Remove(socket, connection.Id);
            socket.Dispose();
        }

        connection.Reset();
    }

    protected static string Fault(SocketError error) => Failure.Of(new SocketException((int)error))!.Text;

    private void Open(CancellationToken cancellationToken)
    {
        var limit = Stopwatch.GetTimestamp() + Ticks(Options.ConnectTimeout);
        var begun = 0;
        for (var pending = 0; begun < Connections.Length || pending > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            for (; begun < Connections.Length && pending < MostConnecting; begun++)
            {
                Connect(Connections[begun]);
                if (Connections[begun].Socket is not null) pending++;
            }

            foreach (var ready in Poller.Wait(LongestWait))
            {
                var wasConnecting = Connections[ready.Id] is { Socket: not null, IsUp: false };
                Handle(ready);
                if (wasConnecting && Connections[ready.Id] is { Socket: null } or { IsUp: true }) pending--;
            }

            if (begun == Connections.Length && Progress.Up == 0 && pending == 0 && !OpensAgain) break;
            if (Stopwatch.GetTimestamp() <= limit) continue;
            if (Progress.Up == 0) throw new CliException(ExitCode.TimedOut, "No connection came up within --timeout.");
            foreach (var late in Connections.Where(c => c is { Socket: not null, IsUp: false })) Drop(late, "A connection did not come up within --timeout.");
            break;
        }

        if (Progress.Up == 0 && !OpensAgain) throw new CliException(ExitCode.Unreachable, $"No connection came up: {Progress.FirstError}");
    }

    private void Handle(PollEvent ready)
    {
        var connection = Connections[ready.Id];
        if (connection.Socket is not { } socket) return;
        if (!connection.IsUp)
        {
            if (!ready.CanWrite) return;
            if ((int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)! is var error and not 0)
            {
                Drop(connection, "A connection was refused or reset.");
                return;
            }

            connection.IsUp = true;
            Progress.Up++;
            SetWrite(connection, wantsWrite: false);
            Connected(connection, Stopwatch.GetTimestamp());
            return;
        }

        if (ready.CanRead) Readable(connection, ready.IsEnding);
        if (ready.CanWrite && connection is { IsUp: true, WantsWrite: true }) Writable(connection);
    }

    private void Sample(long now)
    {
        if (!Progress.IsMeasuring) return;
        for (; now >= _nextSample; _nextSample += Stopwatch.Frequency / SeriesPerSecond)
        {
            var count = Options.Mode == BenchMode.Stream ? Progress.Bytes : Progress.Messages;
            if (_nextSample > 0 && count >= _sampled) _series.Add(count - _sampled);
            _sampled = count;
        }
    }
}
