namespace Perch.Files.Disk;

/// <summary>The sums over the entries of all unfinished uploads. <see cref="DiskQuota"/> calls it under its lock.</summary>
internal sealed class DiskPartialSums
{
    private readonly HashSet<DiskShare> _shares = [];
    private readonly Dictionary<UploadSource, int> _bySource = [];

    public int Count { get; private set; }

    public long Bytes { get; private set; }

    /// <summary>True if no set of uploads has these sums.</summary>
    public bool IsImpossible => Count < 0 || Bytes < 0;

    public int CountOf(UploadSource source) => _bySource.GetValueOrDefault(source);

    public void Add(DiskShare share)
    {
        _shares.Add(share);
        (Count, Bytes) = (Count + 1, Bytes + share.Bytes);
        CountSource(share.Source, 1);
    }

    /// <summary>Removes an entry; a second call does nothing.</summary>
    public void Remove(DiskShare share)
    {
        if (!share.IsCounted) return;
        share.IsCounted = false;
        _shares.Remove(share);
        (Count, Bytes) = (Count - 1, Bytes - share.Bytes);
        CountSource(share.Source, -1);
    }

    public void Resize(DiskShare share, long bytes)
    {
        if (!share.IsCounted) return;
        Bytes += bytes - share.Bytes;
        share.Bytes = bytes;
    }

    /// <summary>Another peer resumes the upload.</summary>
    public void Move(DiskShare share, UploadSource? source)
    {
        if (!share.IsCounted) return;
        CountSource(share.Source, -1);
        share.Source = source;
        CountSource(source, 1);
    }

    /// <summary>Recalculates the sums from the entries.</summary>
    public void Recount()
    {
        (Count, Bytes) = (_shares.Count, _shares.Sum(share => share.Bytes));
        _bySource.Clear();
        foreach (var share in _shares) CountSource(share.Source, 1);
    }

    public void Clear()
    {
        _shares.Clear();
        Recount();
    }

    private void CountSource(UploadSource? source, int change)
    {
        if (source is not { } key) return;
        var count = CountOf(key) + change;
        if (count == 0) _bySource.Remove(key);
        else _bySource[key] = count;
    }
}
