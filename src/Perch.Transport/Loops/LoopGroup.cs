using System.Buffers;
using System.Diagnostics;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.Transport.Buffers;
using Perch.Transport.Connections;
using Perch.Transport.Loops;

namespace Perch.Transport;

/// <summary>
/// The loops that all listeners of a process share. Their threads start with the first listener, and end when the group is
/// disposed: what connections are left then are reset.
/// </summary>
public sealed class LoopGroup : IDisposable
{
    private readonly Lock _lock = new();
    private readonly ILogger _logger;
    private readonly LoopWatch _watch;
    private readonly int _count;
    private volatile Loop[] _loops = [];
    private bool _isDisposed;
    private uint _next;
    private long _lastId = Stopwatch.GetTimestamp();

    /// <param name="count">How many; 0 for one per processor that the process may use.</param>
    /// <param name="loggers">Where it logs.</param>
    /// <param name="pools">Makes the pool that connections offer to middleware (<c>IMemoryPoolFeature</c>); null for the shared one.</param>
    public LoopGroup(int count, ILoggerFactory loggers, IMemoryPoolFactory<byte>? pools = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        _count = count == 0 ? Environment.ProcessorCount : count;
        _logger = loggers.CreateLogger("Perch.Transport");
        _watch = new(_logger);
        Pool = pools?.Create() ?? MemoryPool<byte>.Shared;
    }

    /// <summary>Bytes of the blocks that all connections occupy. It is read from any thread, and is exact if no block moves meanwhile.</summary>
    public long BytesOccupied
    {
        get
        {
            var sum = Blocks.Rented;
            foreach (var loop in _loops)
                sum += loop.Blocks.Rented;
            return Math.Max(0, sum);
        }
    }

    internal SharedBlocks Blocks { get; } = new();

    internal MemoryPool<byte> Pool { get; }

    /// <summary>Of the connections of all listeners.</summary>
    internal FeatureLayout Features { get; } = new();

    /// <summary>Descriptors that are watched, of all loops.</summary>
    internal int SourceCount => _loops.Sum(loop => loop.SourceCount);

    /// <summary>Whether no loop serves anything.</summary>
    internal bool IsIdle => _loops.All(loop => loop.Serving is null);

    internal bool IsWatchAsleep => _watch.IsAsleep;

    /// <summary>Stops the threads.</summary>
    public void Dispose()
    {
        Loop[] loops;
        lock (_lock)
        {
            if (_isDisposed) return;
            _isDisposed = true;
            loops = _loops;
        }

        foreach (var loop in loops) loop.Dispose();
        _watch.Dispose();
    }

    /// <summary>
    /// Sets how much more memory connections may occupy: beyond it they receive nothing until there is room again. As much free memory
    /// is kept for the next burst, at least 16 MiB.
    /// </summary>
    /// <param name="bytes">Bytes; not positive if there is no room. No limit before the first call.</param>
    public void SetRoom(long bytes) => Blocks.SetRoom(bytes);

    /// <summary>Leaves the free blocks that were not used since the last call to the garbage collector.</summary>
    public void TrimFreeBlocks()
    {
        foreach (var loop in _loops)
            new BlockTrim(loop).Start(TimeSpan.Zero);
        Blocks.Trim();
    }

    internal Loop Next() => Loops() is var loops && loops.Length == 1 ? loops[0] : loops[Interlocked.Increment(ref _next) % (uint)loops.Length];

    internal string NextConnectionId() => Interlocked.Increment(ref _lastId).ToString("X", null);

    private Loop[] Loops()
    {
        if (_loops is { Length: > 0 } running) return running;
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            if (_loops.Length > 0) return _loops;
            Loop[] loops = [.. Enumerable.Range(0, _count).Select(i => new Loop(i, Blocks, _watch, _logger))];
            _watch.Start(loops);
            return _loops = loops;
        }
    }
}
