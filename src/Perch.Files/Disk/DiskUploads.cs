using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Perch.Linux;

namespace Perch.Files.Disk;

/// <summary>
/// The unfinished uploads: of each name the newest one is the one that can be resumed. Older ones that are still being
/// written may yet be completed, and are dropped when they are not.
/// </summary>
internal sealed class DiskUploads(DiskLayout layout, DiskQuota quota, FileStoreOptions options, TimeProvider time)
{
    private const int KeyDigits = 64;
    private const int IdBytes = 8;

    private readonly Dictionary<string, DiskPartial> _newest = [];
    private readonly LinkedList<DiskPartial> _idle = [];
    private readonly Lock _lock = new();

    /// <summary>Takes in what an earlier process left: of each name the upload that was written last.</summary>
    public void Load()
    {
        var found = new List<(string Entry, Posix.FileStatusBlock Status)>();
        foreach (var entry in layout.Uploads.Names())
        {
            if (IsEntry(entry) && layout.Uploads.TryStat(entry) is { IsRegular: true, Size: > 0 } status) found.Add((entry, status));
            else layout.Uploads.Delete(entry);
        }

        foreach (var uploads in found.GroupBy(f => f.Entry[..KeyDigits]))
        {
            var ordered = uploads.OrderByDescending(f => f.Status.Modified).ThenByDescending(f => f.Status.Size).ToList();
            var (entry, status) = ordered[0];
            var partial = new DiskPartial(layout.Uploads, uploads.Key, entry[(KeyDigits + 1)..], options.DirectWrites, time) { Share = quota.Found(status.Size) };
            partial.Found(status.Size, status.Modified);
            _newest[uploads.Key] = partial;
            foreach (var (older, _) in ordered.Skip(1)) layout.Uploads.Delete(older);
        }

        foreach (var partial in _newest.Values.OrderBy(partial => partial.Touched)) MarkIdle(partial);
    }

    /// <summary>The owner has left the upload. Called under its lock.</summary>
    public void MarkIdle(DiskPartial partial)
    {
        lock (_lock) partial.IdleNode ??= _idle.AddLast(partial);
    }

    /// <summary>Marks an upload that is resumed. Called under its lock.</summary>
    public void MarkBusy(DiskPartial partial)
    {
        lock (_lock) RemoveIdle(partial);
    }

    /// <summary>The uploads without an owner, the one that was left first at the begin.</summary>
    /// <param name="source">Those of this peer; null for all.</param>
    public List<DiskPartial> Idle(UploadSource? source)
    {
        lock (_lock) return [.. _idle.Where(partial => source is null || partial.Share.Source == source)];
    }

    /// <summary>Drops an upload without an owner. Does not wait: the caller may hold the lock of another upload.</summary>
    /// <returns>False if an uploader has it, or it has gone.</returns>
    public bool TryDropIdle(DiskPartial partial)
    {
        if (!partial.Lock.TryEnter()) return false;
        try
        {
            return DropIdle(partial, _ => true);
        }
        finally
        {
            partial.Lock.Exit();
        }
    }

    public static bool IsEntry(string entry) => entry.Length == KeyDigits + 1 + (2 * IdBytes) && entry[KeyDigits] == '.'
        && !entry.AsSpan(0, KeyDigits).ContainsAnyExcept(Lower) && !entry.AsSpan(KeyDigits + 1).ContainsAnyExcept(Lower);

    /// <summary>A new one, which is the one to resume from now on.</summary>
    public DiskPartial Begin(string key, DiskUpload owner, DiskShare share)
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(IdBytes));
        var partial = new DiskPartial(layout.Uploads, key, id, options.DirectWrites, time) { Owner = owner, Share = share };
        partial.Create();
        DiskPartial? older;
        lock (_lock)
        {
            _newest.TryGetValue(key, out older);
            _newest[key] = partial;
        }

        try
        {
            if (older is not null) Detach(older);
            return partial;
        }
        catch
        {
            lock (partial.Lock)
            {
                if (partial.Owner == owner) Drop(partial);
            }

            throw;
        }
    }

    public bool TryGet(string key, [NotNullWhen(true)] out DiskPartial? partial)
    {
        lock (_lock) return _newest.TryGetValue(key, out partial);
    }

    /// <summary>It is no more the one to resume: it is published, or dropped.</summary>
    public void Forget(DiskPartial partial)
    {
        lock (_lock)
        {
            if (_newest.TryGetValue(partial.Key, out var newest) && newest == partial) _newest.Remove(partial.Key);
            RemoveIdle(partial);
        }
    }

    /// <summary>Drops the upload of this name unless somebody writes it.</summary>
    public bool DropIdle(string key) => TryGet(key, out var partial) && DropIdle(partial, _ => true);

    /// <summary>Drops those that were left before this time.</summary>
    public int Trim(DateTimeOffset before)
    {
        DiskPartial[] all;
        lock (_lock) all = [.. _newest.Values];
        return all.Count(partial => DropIdle(partial, p => p.Touched < before));
    }

    public void Clear()
    {
        lock (_lock)
        {
            foreach (var partial in _newest.Values) partial.Dispose();
            _newest.Clear();
            _idle.Clear();
        }
    }

    /// <summary>Deletes one whose owner is done with it. Called under its lock.</summary>
    public void Drop(DiskPartial partial)
    {
        Forget(partial);
        partial.Owner = null;
        try
        {
            partial.Delete();
        }
        finally
        {
            // After the file is gone: else a new upload has its place while the folder has both.
            quota.Drop(partial.Share);
        }
    }

    private bool DropIdle(DiskPartial partial, Predicate<DiskPartial> isDue)
    {
        lock (partial.Lock)
        {
            if (partial.Owner is not null || !isDue(partial)) return false;
            // Another may have dropped it, or have begun anew, while this one waited.
            if (!TryGet(partial.Key, out var newest) || newest != partial) return false;
            Drop(partial);
            return true;
        }
    }

    private void RemoveIdle(DiskPartial partial)
    {
        if (partial.IdleNode is not { } node) return;
        _idle.Remove(node);
        partial.IdleNode = null;
    }

    private void Detach(DiskPartial older)
    {
        lock (older.Lock)
        {
            older.IsDetached = true;
            // Its owner ends it; without one it was left, or has ended already.
            if (older.Owner is null) Drop(older);
        }
    }

    private static readonly System.Buffers.SearchValues<char> Lower = System.Buffers.SearchValues.Create("0123456789abcdef");
}
