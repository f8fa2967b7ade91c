using Microsoft.Extensions.Hosting;
using Perch.Transport;

namespace Perch.Diagnostics;

/// <summary>Counts the descriptors of this process, and refuses those that peers cause when too few are left.</summary>
/// <remarks>
/// The count is what the system reports four times a second (twenty times while connections wait), and what was taken and returned here
/// since. Thus descriptors that are not taken here (logs, stores) count too, and an error of the count does not last.
/// </remarks>
internal sealed class DescriptorBudget : BackgroundService, IDescriptorBudget, IAcceptGate
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);

    /// <summary>The interval while connections wait, so that they wait no longer than necessary for what was closed.</summary>
    private static readonly TimeSpan ExhaustedInterval = TimeSpan.FromMilliseconds(50);

    /// <summary>At most this part of the time is spent counting: a kernel before 6.2 takes microseconds for each descriptor.</summary>
    private const int MostCounting = 20;

    private readonly TimeProvider _time;
    private readonly Func<long?> _count;
    private readonly long[] _refused = new long[Enum.GetValues<DescriptorHolder>().Length];
    private readonly long _connectionLimit;
    private readonly long _transferLimit;
    private long _used;
    private long _recounts;

    public DescriptorBudget(DescriptorPlan plan, PerchMetrics metrics, TimeProvider time)
        : this(plan, FileDescriptors.Open, metrics, time)
    {
    }

    /// <summary>With another limit and count, for tests.</summary>
    internal DescriptorBudget(DescriptorPlan plan, Func<long?> count, PerchMetrics metrics, TimeProvider time)
    {
        (Plan, _count, _time) = (plan, count, time);
        var limit = plan.Limit ?? long.MaxValue;
        _transferLimit = limit - DescriptorPlan.Floor - plan.Admin;
        _connectionLimit = _transferLimit - plan.Transfers;
        _used = plan.Limit is null ? 0 : Count() ?? 0;
        AdminGate = new GateOfAdmin(this, limit - DescriptorPlan.Floor);
        metrics.ObserveDescriptorRefusals(Refused);
    }

    public DescriptorPlan Plan { get; }

    public string Reason =>
        "the descriptors that are left are kept for open connections, transfers and the runtime. "
        + "Raise the limit of open files, or lower the cap on connections";

    /// <summary>For connections to the admin endpoint, which may take all but the last descriptors.</summary>
    public IAcceptGate AdminGate { get; }

    /// <summary>Descriptors that are open, as far as is known now.</summary>
    public long Used => Interlocked.Read(ref _used);

    /// <summary>Whether no connection is accepted since too few are left.</summary>
    public bool IsExhausted => Used >= _connectionLimit;

    /// <summary>How often descriptors were refused to a holder.</summary>
    public long Refused(DescriptorHolder holder) => Interlocked.Read(ref _refused[(int)holder]);

    public bool TryTake(int count, out DescriptorClaim claim)
    {
        claim = new(count, Interlocked.Read(ref _recounts));
        return TryTake(count, _transferLimit, DescriptorHolder.Transfer);
    }

    /// <remarks>
    /// A recount since then has replaced the number that was taken by the number that was open, which may be smaller. To subtract the
    /// former would make room that does not exist; the next recount subtracts what was closed.
    /// </remarks>
    public void Return(DescriptorClaim claim)
    {
        if (claim.Recount == Interlocked.Read(ref _recounts))
            Interlocked.Add(ref _used, -claim.Count);
    }

    /// <summary>Takes the descriptor of a session at a port of its own.</summary>
    public bool TryTakeSession() => TryTake(1, _transferLimit, DescriptorHolder.Session);

    /// <summary>Returns the descriptor of a session.</summary>
    public void ReturnSession() => Leave();

    /// <summary>Takes the descriptor of a connection.</summary>
    public bool TryEnter() => TryTake(1, _connectionLimit, DescriptorHolder.Connection);

    /// <summary>Returns the descriptor of a connection.</summary>
    public void Leave() => Interlocked.Decrement(ref _used);

    /// <summary>Corrects the count by what the system reports.</summary>
    internal void Recount()
    {
        // Descriptors taken or returned while the system counts may or may not be in its number, until the next count. Each is assumed to
        // be open: after a count that is too low, more connections would be accepted than there are descriptors.
        Interlocked.Increment(ref _recounts);
        var before = Used;
        if (Count() is { } open)
            Interlocked.Add(ref _used, open - Math.Min(before, Used));
    }

    /// <remarks>The count needs a descriptor itself.</remarks>
    private long? Count()
    {
        try
        {
            return _count();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Plan.Limit;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (Plan.Limit is null)
            return;
        try
        {
            while (true)
            {
                var started = _time.GetTimestamp();
                Recount();
                var pause = _time.GetElapsedTime(started) * MostCounting;
                var interval = IsExhausted ? ExhaustedInterval : Interval;
                await Task.Delay(pause > interval ? pause : interval, _time, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }

    private bool TryTake(int count, long limit, DescriptorHolder holder)
    {
        if (Interlocked.Add(ref _used, count) <= limit)
            return true;
        Interlocked.Add(ref _used, -count);
        Interlocked.Increment(ref _refused[(int)holder]);
        return false;
    }

    private sealed class GateOfAdmin(DescriptorBudget budget, long limit) : IAcceptGate
    {
        public string Reason => budget.Reason;

        public bool TryEnter() => budget.TryTake(1, limit, DescriptorHolder.Connection);

        public void Leave() => budget.Leave();
    }
}

/// <summary>The cause of a descriptor.</summary>
internal enum DescriptorHolder
{
    /// <summary>A connection to a protocol endpoint. It waits in the backlog.</summary>
    Connection,

    /// <summary>An upload or a download. It is refused.</summary>
    Transfer,

    /// <summary>A UDP session at a port of its own. It is refused.</summary>
    Session,
}
