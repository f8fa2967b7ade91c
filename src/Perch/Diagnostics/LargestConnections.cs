using Perch.Connections;
using Perch.Transport;

namespace Perch.Diagnostics;

/// <summary>The connections that occupy most memory. Used on one thread at a time, and only under memory pressure.</summary>
internal sealed class LargestConnections(ConnectionRegistry registry)
{
    /// <summary>A connection with no more than one block is not paused: it may be a short message that is being handled.</summary>
    private const long Block = 64 * 1024;

    private readonly Dictionary<ConnectionState, IConnectionMemoryFeature> _paused = [];
    private List<Holder> _holders = [];
    private Dictionary<ConnectionState, long> _progress = [];
    private long _ending;
    private int _count;

    /// <summary>Connections whose reads are paused. Read on any thread.</summary>
    public int Paused => Volatile.Read(ref _count);

    /// <summary>Looks at all connections.</summary>
    public void Find()
    {
        var (holders, progress) = (new List<Holder>(_holders.Count), new Dictionary<ConnectionState, long>(_progress.Count));
        _ending = 0;
        foreach (var connection in registry.Live())
        {
            if (connection.BytesOccupied is not (> 0 and var bytes))
                continue;
            if (connection.Outcome is not null)
            {
                // What it occupies is free as soon as its handler has noticed.
                _ending += bytes;
                continue;
            }

            var moved = connection.BytesReceived + connection.BytesSent;
            progress[connection] = moved;
            holders.Add(new(connection, bytes, _progress.TryGetValue(connection, out var before) && before == moved));
        }

        holders.Sort(static (a, b) => b.Bytes.CompareTo(a.Bytes));
        (_holders, _progress) = (holders, progress);
    }

    /// <summary>Pauses the reads of connections that occupy more than a block.</summary>
    public void Pause()
    {
        foreach (var ended in _paused.Keys.Where(connection => connection.Place < 0).ToList())
            _paused.Remove(ended);
        foreach (var holder in _holders)
        {
            if (holder.Bytes <= Block)
                break;
            if (holder.Connection.Memory is { } memory && _paused.TryAdd(holder.Connection, memory))
                memory.PauseReading();
        }

        Volatile.Write(ref _count, _paused.Count);
    }

    /// <summary>Resumes all reads.</summary>
    public void Resume()
    {
        foreach (var memory in _paused.Values)
            memory.ResumeReading();
        _paused.Clear();
        (_holders, _progress) = ([], []);
        Volatile.Write(ref _count, 0);
    }

    /// <summary>
    /// Ends the largest connections. Connections that occupy no more than a block end only if nothing has gone over them since the
    /// last look.
    /// </summary>
    /// <param name="bytes">Bytes that are to become free, together with those of connections that have been ended before.</param>
    /// <returns>Number of connections that were ended.</returns>
    public int End(long bytes)
    {
        var count = 0;
        var left = bytes - _ending;
        foreach (var holder in _holders)
        {
            if (left <= 0)
                break;
            if (holder.Bytes <= Block && !holder.IsStill)
                continue;
            holder.Connection.Abort(ConnectionOutcome.MemoryPressure);
            left -= holder.Bytes;
            count++;
        }

        return count;
    }

    /// <summary>A connection that occupies memory. It is still if no byte went either way since the last look.</summary>
    private readonly record struct Holder(ConnectionState Connection, long Bytes, bool IsStill);
}
