namespace Perch.Protocols.Files.Disk;

/// <summary>
/// Bytes and files that the store holds or has reserved, checked against its limits. A new version of a file counts beside
/// the old one only for the bytes that it is longer.
/// </summary>
/// <remarks>
/// The counters of unfinished uploads are sums of their <see cref="DiskShare"/>s, so an upload that two threads end at the
/// same time is subtracted once. The counters of files can still become wrong if another program changes the folder: a
/// negative one is a <see cref="FileTotals.Fault"/>, and the store counts again.
/// <para>
/// Bytes are reserved before they are written: those of an announced length at the begin, others in steps. The free bytes are read
/// outside the lock, because a disk that hangs must not hold it. Bytes that are written between that read and the check are no
/// longer reserved and not yet missing from the value read: they are added from <see cref="_written"/>.
/// </para>
/// </remarks>
internal sealed class DiskQuota(FileStoreOptions options, Func<long> freeBytes)
{
    /// <summary>Disk space of an upload beside its bytes: the rest of its last block, its metadata, and what its folder may grow.</summary>
    public const int OverheadBytes = 3 * 4096;

    /// <summary>Maximum number of bytes that one step reserves for an upload of unknown length.</summary>
    private const long MaxStepBytes = DiskPartial.WriteBehind;

    private readonly Lock _lock = new();
    private long _files;
    private long _bytes;
    private long _partialBytes;
    private long _reserved;
    private long _written;
    private long _newFiles;
    private int _partials;
    private int _active;

    public FileTotals Totals
    {
        get
        {
            lock (_lock)
            {
                var fault = _files < 0 || _bytes < 0 ? $"the counters are impossible ({_files} files, {_bytes} bytes): another program changed the folder. They are counted again" : null;
                return new(_files, _bytes + _partialBytes, _partials) { Fault = fault };
            }
        }
    }

    /// <summary>Uploads in progress.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>The store is opened: nothing is known.</summary>
    public void Reset()
    {
        lock (_lock) (_files, _bytes, _partialBytes, _reserved, _newFiles, _partials, _active) = (0, 0, 0, 0, 0, 0, 0);
    }

    /// <summary>Sets the counters of whole files to the result of a scan.</summary>
    public void Counted(long files, long bytes)
    {
        lock (_lock) (_files, _bytes) = (files, bytes);
    }

    /// <summary>An upload begins. The bytes that it announced are reserved.</summary>
    /// <param name="length">Bytes of the whole file, or null.</param>
    /// <param name="more">Bytes of them that are still to come.</param>
    /// <param name="replaced">Bytes of the file that has the name; null if no file has it.</param>
    /// <param name="resumed">The upload that goes on; null for a new one.</param>
    /// <exception cref="FileStoreException"><c>quota</c>, <c>full</c>.</exception>
    public DiskReservation Begin(long? length, long more, long? replaced, DiskShare? resumed)
    {
        CheckFile(length ?? 0);
        var (free, written) = ReadFree();
        lock (_lock)
        {
            if (resumed is null && _partials >= options.MaxPartials) throw Quota($"there are {options.MaxPartials} unfinished uploads");
            var reservation = new DiskReservation(resumed ?? new());
            if (replaced is null) ReserveFile(reservation);
            try
            {
                Reserve(reservation, more, OverheadBytes, replaced ?? 0, free, written);
            }
            catch
            {
                ReleaseFile(reservation);
                throw;
            }

            if (resumed is null) _partials++;
            _active++;
            return reservation;
        }
    }

    /// <summary>Bytes are about to be written: those that are not reserved yet are.</summary>
    /// <param name="reservation">The uploader's.</param>
    /// <param name="length">Length of the file with them.</param>
    /// <param name="more">Number of the bytes.</param>
    /// <exception cref="FileStoreException"><c>quota</c>, <c>full</c>.</exception>
    public void Reserve(DiskReservation reservation, long length, long more)
    {
        CheckFile(length);
        if (reservation.Bytes >= more) return;
        var (free, written) = ReadFree();
        lock (_lock)
        {
            var missing = more - reservation.Bytes;
            // As much as came before, so that a small upload reserves little, and a large one asks the system seldom.
            var step = Math.Clamp(length - more, missing, Math.Max(missing, MaxStepBytes));
            if (options.MaxFileBytes > 0) step = Math.Clamp(options.MaxFileBytes - length + missing, missing, step);
            try
            {
                Reserve(reservation, step, overhead: 0, replaced: 0, free, written);
            }
            catch (FileStoreException) when (step > missing)
            {
                Reserve(reservation, missing, overhead: 0, replaced: 0, free, written);
            }
        }
    }

    /// <summary>An upload is about to be published under a name that no file has.</summary>
    /// <exception cref="FileStoreException"><c>quota</c>.</exception>
    public void ReserveFile(DiskReservation reservation)
    {
        lock (_lock)
        {
            if (reservation.HasFile) return;
            if (options.MaxFiles > 0 && _files + _newFiles >= options.MaxFiles) throw Quota($"there are {options.MaxFiles} files");
            reservation.HasFile = true;
            _newFiles++;
        }
    }

    /// <summary>Checks that the disk is above its floor.</summary>
    /// <exception cref="FileStoreException"><c>full</c>.</exception>
    public void CheckFree()
    {
        if (freeBytes() is var free && free < options.MinFreeBytes) throw FileStoreException.Full($"{free} bytes are free, {options.MinFreeBytes} stay free (Perch:Files:MinFreeBytes)");
    }

    /// <summary>Bytes of an upload were written; as far as they were reserved, the reservation shrinks.</summary>
    public void Wrote(DiskReservation reservation, long bytes)
    {
        lock (_lock)
        {
            Resize(reservation.Share, reservation.Share.Bytes + bytes);
            var used = Math.Min(bytes, reservation.Bytes);
            (reservation.Bytes, _reserved, _written) = (reservation.Bytes - used, _reserved - used, _written + used);
        }
    }

    /// <summary>An unfinished upload was cut.</summary>
    public void Cut(DiskShare share, long length)
    {
        lock (_lock) Resize(share, length);
    }

    /// <summary>An earlier process left an upload of this length.</summary>
    public DiskShare Found(long bytes)
    {
        lock (_lock)
        {
            (_partials, _partialBytes) = (_partials + 1, _partialBytes + bytes);
            return new() { Bytes = bytes };
        }
    }

    /// <summary>An uploader ends: its reservation is free again. A second call does nothing.</summary>
    public void Release(DiskReservation reservation)
    {
        lock (_lock)
        {
            if (!reservation.IsOpen) return;
            reservation.IsOpen = false;
            ReleaseFile(reservation);
            (_reserved, _active, _written) = (_reserved - reservation.Bytes, _active - 1, _written + OverheadBytes);
            reservation.Bytes = 0;
        }
    }

    /// <summary>An unfinished upload is gone. A second call, or one after <see cref="Published"/>, does nothing.</summary>
    public void Drop(DiskShare share)
    {
        lock (_lock) Remove(share);
    }

    /// <summary>An upload has become a file.</summary>
    /// <param name="reservation">Its uploader's.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="replaced">Bytes of the file that had the name; null if no file had it.</param>
    public void Published(DiskReservation reservation, long bytes, long? replaced)
    {
        lock (_lock)
        {
            Remove(reservation.Share);
            ReleaseFile(reservation);
            _bytes += bytes - (replaced ?? 0);
            if (replaced is null) _files++;
        }
    }

    public void Deleted(long bytes)
    {
        lock (_lock) (_files, _bytes) = (_files - 1, _bytes - bytes);
    }

    private long Held => Math.Max(0, _bytes) + _partialBytes + _reserved;

    private (long Free, long Written) ReadFree()
    {
        long written;
        lock (_lock) written = _written;
        return (freeBytes(), written);
    }

    private void Reserve(DiskReservation reservation, long bytes, long overhead, long replaced, long free, long written)
    {
        if (options.MaxBytes > 0 && bytes > options.MaxBytes - Held + replaced) throw Quota($"the store has at most {options.MaxBytes} bytes");
        var taken = _reserved + (_active * (long)OverheadBytes) + (_written - written) + overhead;
        if (bytes > free - taken - options.MinFreeBytes)
        {
            throw new FileStoreException("full", "there is no space for so much", $"{free} bytes are free, {taken} are reserved, {options.MinFreeBytes} stay free")
            {
                IsOfRequest = free >= options.MinFreeBytes,
            };
        }

        reservation.Bytes += bytes;
        _reserved += bytes;
    }

    private void ReleaseFile(DiskReservation reservation)
    {
        if (reservation.HasFile) _newFiles--;
        reservation.HasFile = false;
    }

    private void Resize(DiskShare share, long bytes)
    {
        if (!share.IsCounted) return;
        _partialBytes += bytes - share.Bytes;
        share.Bytes = bytes;
    }

    private void Remove(DiskShare share)
    {
        if (!share.IsCounted) return;
        share.IsCounted = false;
        (_partials, _partialBytes) = (_partials - 1, _partialBytes - share.Bytes);
    }

    private void CheckFile(long length)
    {
        if (options.MaxFileBytes > 0 && length > options.MaxFileBytes) throw Quota($"a file has at most {options.MaxFileBytes} bytes");
    }

    private static FileStoreException Quota(string text) => new("quota", text);
}
