namespace Perch.Protocols.Files.Disk;

/// <summary>
/// What the store holds and what uploads on their way have been promised, against its limits. A new version of a file
/// counts beside the old one only for what it is longer.
/// </summary>
internal sealed class DiskQuota(FileStoreOptions options, Func<long> freeBytes)
{
    private readonly Lock _lock = new();
    private long _files;
    private long _bytes;
    private long _partialBytes;
    private long _promised;
    private int _partials;
    private int _active;

    public FileTotals Totals
    {
        get
        {
            lock (_lock) return new(_files, _bytes + _partialBytes, _partials);
        }
    }

    /// <summary>Uploads on their way.</summary>
    public int Active => Volatile.Read(ref _active);

    public void Reset(long files, long bytes)
    {
        lock (_lock) (_files, _bytes, _partialBytes, _promised, _partials) = (files, bytes, 0, 0, 0);
    }

    /// <summary>An upload begins. It is promised what it says it will bring.</summary>
    /// <param name="length">Bytes of the whole file, or null.</param>
    /// <param name="more">Bytes that are to come of them.</param>
    /// <param name="replaced">Bytes of the file that has the name; null where none has.</param>
    /// <param name="isNew">False where an upload that is counted already goes on.</param>
    /// <exception cref="FileStoreException"><c>quota</c>, <c>full</c>.</exception>
    public void Begin(long? length, long more, long? replaced, bool isNew)
    {
        CheckFile(length ?? 0);
        var free = freeBytes();
        lock (_lock)
        {
            if (isNew && _partials >= options.MaxPartials) throw Quota($"there are {options.MaxPartials} unfinished uploads");
            if (options.MaxFiles > 0 && replaced is null && _files >= options.MaxFiles) throw Quota($"there are {options.MaxFiles} files");
            if (options.MaxBytes > 0 && _bytes + _partialBytes + _promised + more - (replaced ?? 0) is var sum && (sum > options.MaxBytes || sum < 0))
                throw Quota($"the store has at most {options.MaxBytes} bytes");
            if (free - _promised - more < options.MinFreeBytes) throw new FileStoreException("full", "there is no space for so much", $"{free} bytes are free, {_promised} are promised, {options.MinFreeBytes} stay free") { IsOfRequest = free >= options.MinFreeBytes };
            if (isNew) _partials++;
            _active++;
            _promised += length is null ? 0 : more;
        }
    }

    /// <summary>Bytes come that were not announced.</summary>
    /// <param name="length">What the file has with them.</param>
    /// <param name="more">How many.</param>
    /// <exception cref="FileStoreException"><c>quota</c>.</exception>
    public void Grow(long length, long more)
    {
        CheckFile(length);
        lock (_lock)
        {
            if (options.MaxBytes > 0 && _bytes + _partialBytes + _promised + more > options.MaxBytes) throw Quota($"the store has at most {options.MaxBytes} bytes");
        }
    }

    /// <summary>The disk has come to its floor while uploads were on their way.</summary>
    public void CheckFree()
    {
        if (freeBytes() is var free && free < options.MinFreeBytes) throw FileStoreException.Full($"{free} bytes are free, {options.MinFreeBytes} stay free (Perch:Files:MinFreeBytes)");
    }

    /// <summary>Bytes of an upload were written, or with a negative count dropped.</summary>
    public void Wrote(long bytes, bool promised)
    {
        lock (_lock)
        {
            _partialBytes += bytes;
            if (promised) _promised -= bytes;
        }
    }

    /// <summary>An upload that was found, or is to be resumed, has so many bytes.</summary>
    public void Found(long bytes)
    {
        lock (_lock) (_partials, _partialBytes) = (_partials + 1, _partialBytes + bytes);
    }

    /// <summary>An upload was left: what it was promised is free again.</summary>
    public void Leave(long promised)
    {
        lock (_lock) (_promised, _active) = (_promised - promised, _active - 1);
    }

    /// <summary>An upload that nobody writes is gone.</summary>
    public void Drop(long bytes)
    {
        lock (_lock) (_partials, _partialBytes) = (_partials - 1, _partialBytes - bytes);
    }

    /// <summary>An upload has become a file.</summary>
    public void Published(long bytes, long? replaced)
    {
        lock (_lock)
        {
            _partials--;
            _partialBytes -= bytes;
            _bytes += bytes - (replaced ?? 0);
            if (replaced is null) _files++;
        }
    }

    public void Deleted(long bytes)
    {
        lock (_lock) (_files, _bytes) = (_files - 1, _bytes - bytes);
    }

    private void CheckFile(long length)
    {
        if (options.MaxFileBytes > 0 && length > options.MaxFileBytes) throw Quota($"a file has at most {options.MaxFileBytes} bytes");
    }

    private static FileStoreException Quota(string text) => new("quota", text);
}
