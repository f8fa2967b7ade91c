using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>Lets one at a time do what takes several requests to a name. Other names go on.</summary>
internal sealed class S3NameLocks
{
    private readonly Dictionary<FileName, Entry> _entries = [];

    /// <returns>Disposed it lets the next one in.</returns>
    public async Task<IDisposable> EnterAsync(FileName name, CancellationToken cancellationToken)
    {
        Entry? entry;
        lock (_entries)
        {
            if (!_entries.TryGetValue(name, out entry)) _entries[name] = entry = new(this, name);
            entry.Users++;
        }

        try
        {
            await entry.Turn.WaitAsync(cancellationToken);
            return entry;
        }
        catch
        {
            Leave(entry);
            throw;
        }
    }

    private void Leave(Entry entry)
    {
        lock (_entries)
        {
            if (--entry.Users == 0) _entries.Remove(entry.Name);
        }
    }

    private sealed class Entry(S3NameLocks locks, FileName name) : IDisposable
    {
        public FileName Name { get; } = name;

        public SemaphoreSlim Turn { get; } = new(1);

        /// <summary>Who has the turn, and who waits for it.</summary>
        public int Users { get; set; }

        public void Dispose()
        {
            Turn.Release();
            locks.Leave(this);
        }
    }
}
