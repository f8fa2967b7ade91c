using System.Collections.Immutable;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Connections;

namespace Perch.Diagnostics;

/// <summary>
/// Bounds the memory that peers occupy. Above the budget the largest connections pause, and no connection is accepted; if that does not
/// suffice, the largest connections end (<see cref="ConnectionOutcome.MemoryPressure"/>).
/// </summary>
/// <remarks>
/// It decides ten times a second on a thread of its own, so that handlers that hold the thread pool do not keep it from that.
/// Pressure begins above the budget and ends below 90 % of it.
/// </remarks>
internal sealed partial class MemoryBudget : IHostedService, IMemoryBudget, IDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <summary>Time above the budget until the largest connections end.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>Time above 90 % of the budget, since pressure began, until the largest connections end.</summary>
    private static readonly TimeSpan LongestPressure = TimeSpan.FromSeconds(5);

    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly LargestConnections _largest;
    private readonly MemoryTrimmer _trimmer;
    private readonly ManualResetEventSlim _stopping = new();
    private ImmutableArray<Func<long>> _consumers = [];
    private ImmutableArray<Action<long>> _rooms = [];
    private Thread? _thread;
    private long _budget = MemoryPlan.Default;
    private volatile bool _isUnderPressure;
    private long _since;
    private long _aboveSince;
    private long _refused;
    private long _ended;

    public MemoryBudget(ConnectionRegistry registry, PerchMetrics metrics, TimeProvider time, ILogger<MemoryBudget> logger)
    {
        (_time, _logger, _largest, _trimmer) = (time, logger, new(registry), new(time));
        Add(() => registry.Traffic.Sum(traffic => traffic.DatagramTotals?.BytesHeld() ?? 0));
        metrics.ObserveMemory(this);
    }

    /// <summary>The budget in bytes.</summary>
    public MemoryPlan Plan => new(Interlocked.Read(ref _budget));

    /// <summary>Bytes that peers occupy now.</summary>
    public long Used
    {
        get
        {
            var sum = 0L;
            foreach (var bytes in _consumers)
                sum += bytes();
            return sum;
        }
    }

    /// <summary>Whether no connection is accepted, since peers occupy too much.</summary>
    public bool IsRefusing => Used > (_isUnderPressure ? Plan.Accept : Plan.Budget);

    /// <summary>Connections whose reads are paused now.</summary>
    public int Paused => _largest.Paused;

    /// <summary>How often an accept was refused.</summary>
    public long Refused => Interlocked.Read(ref _refused);

    /// <summary>Connections that were ended.</summary>
    public long Ended => Interlocked.Read(ref _ended);

    public void Add(Func<long> bytes) => ImmutableInterlocked.Update(ref _consumers, static (all, added) => all.Add(added), bytes);

    /// <summary>Adds a pool of free memory.</summary>
    /// <param name="trim">Gives up the memory that the pool has not used since the last call. Called every 10 s.</param>
    /// <param name="setRoom">Sets how many bytes of the pool peers may occupy in addition. Called ten times a second.</param>
    public void AddPool(Action trim, Action<long>? setRoom = null)
    {
        _trimmer.Add(trim);
        if (setRoom is not null)
            ImmutableInterlocked.Update(ref _rooms, static (all, added) => all.Add(added), setRoom);
    }

    /// <summary>Applies another budget.</summary>
    /// <param name="bytes">Null for the default.</param>
    public void Set(long? bytes) => Interlocked.Exchange(ref _budget, bytes ?? MemoryPlan.Default);

    /// <summary>Whether a listener may accept a connection.</summary>
    public bool MayAccept()
    {
        if (!IsRefusing)
            return true;
        Interlocked.Increment(ref _refused);
        return false;
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _thread = new(Run) { IsBackground = true, Name = "perch memory" };
        _thread.Start();
        return Task.CompletedTask;
    }

    /// <remarks>The check runs until the host ends: draining connections count too.</remarks>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose()
    {
        _stopping.Set();
        _thread?.Join();
        _stopping.Dispose();
    }

    /// <summary>Looks at the memory and takes the next step. On one thread at a time.</summary>
    internal void Tick()
    {
        var (used, plan, now) = (Used, Plan, _time.GetTimestamp());
        foreach (var setRoom in _rooms)
            setRoom(plan.Most - used);
        _trimmer.Relieve(plan.Slack);
        if (!_isUnderPressure)
        {
            if (used <= plan.Budget)
                return;
            _isUnderPressure = true;
            (_since, _aboveSince) = (now, now);
            Log.Began(_logger, used, plan.Budget);
        }
        else if (used < plan.Resume)
        {
            _isUnderPressure = false;
            _largest.Resume();
            Log.Over(_logger, used, plan.Budget, Ended);
            return;
        }

        if (used <= plan.Budget)
            _aboveSince = now;
        _largest.Find();
        _largest.Pause();
        if (used > plan.End || _time.GetElapsedTime(_aboveSince, now) >= Patience || _time.GetElapsedTime(_since, now) >= LongestPressure)
            Interlocked.Add(ref _ended, _largest.End(used - plan.Resume));
    }

    private void Run()
    {
        while (!_stopping.Wait(Interval))
        {
            try
            {
                Tick();
                _trimmer.Tick(Used);
            }
            catch (Exception exception)
            {
                Log.Failed(_logger, exception);
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(2020, LogLevel.Warning, "Peers occupy {Used} bytes, more than Perch:MemoryBudget ({Budget}): the largest connections pause, and no connection is accepted", EventName = "MemoryPressure")]
        public static partial void Began(ILogger logger, long used, long budget);

        [LoggerMessage(2021, LogLevel.Information, "Peers occupy {Used} bytes, less than 90 % of Perch:MemoryBudget ({Budget}): connections are accepted again. {Ended} were ended since the start", EventName = "MemoryPressureOver")]
        public static partial void Over(ILogger logger, long used, long budget, long ended);

        [LoggerMessage(2022, LogLevel.Error, "The check of the memory failed; it runs again in 100 ms", EventName = "MemoryCheckFailed")]
        public static partial void Failed(ILogger logger, Exception exception);
    }
}
