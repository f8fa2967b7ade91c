namespace Perch.Diagnostics;

/// <summary>Gives memory back to the system after a load. Without a load the garbage collector does not run, and returns nothing.</summary>
internal sealed class MemoryTrimmer(TimeProvider time)
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan ReliefInterval = TimeSpan.FromSeconds(1);

    /// <summary>Growth of the working set that is worth a full collection.</summary>
    private const long Growth = 32 * 1024 * 1024;

    /// <summary>Bytes that make a collection worth another one.</summary>
    private const long Gain = 8 * 1024 * 1024;

    /// <summary>Bytes of peers that have left.</summary>
    private const long Departure = 1024 * 1024;

    /// <summary>Most intervals between two collections.</summary>
    private const int MaxWait = 1024;

    /// <summary>Bytes that an idle process allocates in an interval, at most.</summary>
    private const long IdleAllocations = 8 * 1024 * 1024;

    private readonly List<Action> _pools = [];
    private long _last = time.GetTimestamp();
    private long _allocated;
    private long _used;
    private long _lowest = Environment.WorkingSet;
    private long? _relieved;
    private long _heap = GC.GetTotalMemory(forceFullCollection: false);
    private int _wait;
    private int _longestWait = 1;

    /// <summary>Number of full collections.</summary>
    public int Collections { get; private set; }

    /// <summary>Number of collections under load.</summary>
    public int Reliefs { get; private set; }

    /// <param name="trim">Gives up the memory that a pool has not used since the last call.</param>
    public void Add(Action trim)
    {
        lock (_pools)
            _pools.Add(trim);
    }

    /// <summary>
    /// Collects garbage when the heap has grown by <paramref name="slack"/> bytes since the smallest size after the last collection. The
    /// garbage collector would else wait until the heap is at its limit, where a burst fails. At most once a second.
    /// </summary>
    public void Relieve(long slack)
    {
        var (now, heap) = (time.GetTimestamp(), GC.GetTotalMemory(forceFullCollection: false));
        if (heap < _heap)
            _heap = heap;
        if (heap - _heap < slack || (_relieved is { } last && time.GetElapsedTime(last, now) < ReliefInterval))
            return;
        (_relieved, _heap) = (now, heap);
        Reliefs++;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Forced, blocking: false);
    }

    /// <summary>Trims if the interval has passed. On one thread at a time.</summary>
    /// <param name="used">Bytes that peers occupy.</param>
    public void Tick(long used)
    {
        var now = time.GetTimestamp();
        if (time.GetElapsedTime(_last, now) < Interval)
            return;
        _last = now;
        lock (_pools)
            _pools.ForEach(trim => trim());
        var allocated = GC.GetTotalAllocatedBytes();
        var isIdle = allocated - _allocated < IdleAllocations;
        _allocated = allocated;
        // Peers have left since: a collection returns something again.
        if (!isIdle || used < _used - Departure)
            (_wait, _longestWait) = (0, 1);
        _used = used;
        Trim(isIdle, Environment.WorkingSet);
    }

    /// <summary>Collects if the process is idle, and less often if that has returned little.</summary>
    private void Trim(bool isIdle, long workingSet)
    {
        _lowest = Math.Min(_lowest, workingSet);
        if (!isIdle || workingSet - Growth <= _lowest || --_wait > 0)
            return;
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        Collections++;
        var left = Environment.WorkingSet;
        // Connections that stay open need their memory: collecting again and again returns nothing.
        _longestWait = workingSet - left >= Gain ? 1 : Math.Min(_longestWait * 2, MaxWait);
        _wait = _longestWait;
        _lowest = Math.Min(_lowest, left);
    }
}
