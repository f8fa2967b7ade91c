using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>
/// The first names, in their order, of what may be files. A folder is read whole, and of its entries only as many as may still
/// be taken are kept: memory is bounded by the limit, whatever the folder has.
/// </summary>
internal sealed class DiskListing(DiskLayout layout, string prefix, string after, int limit)
{
    private static readonly Comparer<string> Backwards = Comparer<string>.Create(static (a, b) => FileName.Compare(b, a));

    private readonly List<FileName> _names = [];

    public List<FileName> Read()
    {
        ReadFolder(layout.Root, "");
        return _names;
    }

    /// <param name="folder">Open.</param>
    /// <param name="path">Empty for the root, else its name with a slash behind it.</param>
    private void ReadFolder(DiskFolder folder, string path)
    {
        var floor = "";
        while (_names.Count < limit && Smallest(folder, path, floor, limit - _names.Count) is { Count: > 0 } keys)
        {
            foreach (var key in keys)
            {
                floor = key;
                Add(folder, path, key);
                if (_names.Count == limit) return;
            }
        }
    }

    private void Add(DiskFolder folder, string path, string key)
    {
        if (key[^1] == '/')
        {
            using var inner = folder.TryOpenFolder(key[..^1]);
            if (inner is not null && path.Length + key.Length <= FileName.MaxBytes) ReadFolder(inner, path + key);
        }
        else if (FileName.TryParse(path + key, out var name, out _))
        {
            _names.Add(name);
        }
    }

    /// <summary>The first entries behind the floor, a folder with the slash that stands behind it in names: so their order is that of the names.</summary>
    private List<string> Smallest(DiskFolder folder, string path, string floor, int count)
    {
        var kept = new PriorityQueue<string, string>(Backwards);
        var buffer = new char[FileName.MaxSegmentBytes + 2];
        folder.ForEach((entry, isFolder) =>
        {
            if (entry.Length >= buffer.Length || entry[0] == '.') return;
            entry.CopyTo(buffer);
            if (isFolder) buffer[entry.Length] = '/';
            var key = buffer.AsSpan(0, entry.Length + (isFolder ? 1 : 0));
            if (FileName.Compare(key, floor) <= 0 || (kept.Count == count && FileName.Compare(key, kept.Peek()) >= 0) || !MayHave(path, key, isFolder)) return;
            var text = key.ToString();
            if (kept.Count < count) kept.Enqueue(text, text);
            else kept.EnqueueDequeue(text, text);
        });
        var keys = new List<string>(kept.Count);
        while (kept.TryDequeue(out var key, out _)) keys.Add(key);
        keys.Reverse();
        return keys;
    }

    /// <summary>Whether the name, or one in the folder, belongs to what was asked for.</summary>
    private bool MayHave(string path, ReadOnlySpan<char> key, bool isFolder)
    {
        if (path.Length == 0 && prefix.Length == 0 && after.Length == 0) return true;
        ReadOnlySpan<char> full = string.Concat(path, key);
        var isInPrefix = full.StartsWith(prefix, StringComparison.Ordinal) || (isFolder && prefix.AsSpan().StartsWith(full, StringComparison.Ordinal));
        return isInPrefix && (FileName.Compare(full, after) > 0 || (isFolder && after.AsSpan().StartsWith(full, StringComparison.Ordinal)));
    }
}
