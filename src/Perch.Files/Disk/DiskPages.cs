using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>
/// Makes pages of listings. It reads some pages ahead, so that who goes on behind the last name of a page need not wait for the whole
/// folder to be read again. What was read ahead is of no use once a file got its name since: nobody misses a file that was
/// there when he asked.
/// </summary>
internal sealed class DiskPages
{
    /// <summary>How many names are read at once.</summary>
    private const int Ahead = 8000;

    /// <summary>How many listings are read ahead at a time; the oldest makes room.</summary>
    private const int Kept = 4;

    private readonly Lock _lock = new();
    private readonly LinkedList<Rest> _rests = [];
    private long _version;

    /// <summary>A file got its name.</summary>
    public void Changed() => Interlocked.Increment(ref _version);

    /// <param name="layout">Where.</param>
    /// <param name="prefix">Only names that begin so.</param>
    /// <param name="after">Only names behind this.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="find">What a file is; null where it is none of the store's.</param>
    public List<StoredFile> Read(DiskLayout layout, string prefix, string after, int limit, Func<FileName, StoredFile?> find)
    {
        var page = new List<StoredFile>(Math.Min(limit, 1000));
        while (true)
        {
            var version = Interlocked.Read(ref _version);
            var rest = Take(prefix, after, version) ?? new(prefix, version, new DiskListing(layout, prefix, after, Math.Max(Ahead, limit)).Read(), Math.Max(Ahead, limit));
            while (rest.Next < rest.Names.Count && page.Count < limit)
            {
                var name = rest.Names[rest.Next++];
                after = name.Value;
                if (find(name) is { } file) page.Add(file);
            }

            var isLast = rest.Next == rest.Names.Count && rest.Names.Count < rest.Asked;
            if (page.Count == limit && rest.Next < rest.Names.Count) Keep(rest);
            if (page.Count == limit || isLast) return page;
        }
    }

    private Rest? Take(string prefix, string after, long version)
    {
        lock (_lock)
        {
            for (var node = _rests.First; node is not null; node = node.Next)
            {
                if (node.Value.Version != version || node.Value.Prefix != prefix || node.Value.After != after) continue;
                _rests.Remove(node);
                return node.Value;
            }
        }

        return null;
    }

    private void Keep(Rest rest)
    {
        lock (_lock)
        {
            _rests.AddFirst(rest);
            if (_rests.Count > Kept) _rests.RemoveLast();
        }
    }

    /// <summary>Names that were read and not told yet. Whoever has it has it alone.</summary>
    private sealed class Rest(string prefix, long version, List<FileName> names, int asked)
    {
        public string Prefix { get; } = prefix;

        public long Version { get; } = version;

        public List<FileName> Names { get; } = names;

        public int Asked { get; } = asked;

        public int Next { get; set; }

        public string After => Names[Next - 1].Value;
    }
}
