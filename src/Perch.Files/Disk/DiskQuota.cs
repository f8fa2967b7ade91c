namespace Perch.Files.Disk;

/// <summary>
/// Bytes and files that the store holds or has reserved, checked against its limits. A new version of a file counts beside
/// the old one only for the bytes that it is longer.
/// </summary>
/// <remarks>
/// The counters of unfinished uploads are sums of their <see cref="DiskShare"/>s, so an upload that two threads end at the
/// same time is subtracted once. The counters of files can still become wrong if another program changes the folder. A sum below zero is a
/// <see cref="FileTotals.Fault"/>, and all of them are recalculated: those of files by a scan, the others from their entries.
/// <para>
/// Bytes are reserved before they are written: those of an announced length at the begin, others in steps. The free bytes are read
/// outside the lock, because a disk that hangs must not hold it. Bytes that are written between that read and the check are no
/// longer reserved and not yet missing from the value read: they are added from <see cref="_written"/>.
/// </para>
/// </remarks>
internal sealed class DiskQuota(FileStoreOptions options, TimeProvider time, Func<long> freeBytes)
{
    /// <summary>Disk space of an upload beside its bytes: the rest of its last block, its metadata, and what its folder may grow.</summary>
    public const int OverheadBytes = 3 * 4096;

    /// <summary>Maximum number of bytes that one step reserves for an upload of unknown length.</summary>
    private const long MaxStepBytes = DiskPartial.WriteBehind;

    private readonly Lock _lock = new();
    private readonly DiskPartialSums _partials = new();
    private readonly ReachedLimits _limits = new(time);
    private readonly HashSet<DiskReservation> _open = [];
    private long _files;
    private long _bytes;
    private long _reserved;
    private long _written;
    private long _newFiles;
    private int _active;

    public FileTotals Totals
    {
        get
        {
            lock (_lock)
            {
                var isImpossible = _files < 0 || _bytes < 0 || _reserved < 0 || _newFiles < 0 || _active < 0 || _partials.IsImpossible;
                var fault = isImpossible
                    ? $"the counters are impossible ({_files} files, {_bytes} bytes; {_partials.Count} unfinished uploads, {_partials.Bytes} bytes; "
                        + $"{_reserved} bytes and {_newFiles} files reserved): they are counted again. If another program changed the folder, keep it out"
                    : null;
                return new(_files, _bytes + _partials.Bytes, _partials.Count) { Fault = fault };
            }
        }
    }

    public FileLimits Limits
    {
        get
        {
            lock (_lock) return _limits.Read(_partials.Count >= options.MaxPartials ? TooManyPartials : null);
        }
    }

    /// <summary>Uploads in progress.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>The store is opened: nothing is known.</summary>
    public void Reset()
    {
        lock (_lock)
        {
            (_files, _bytes, _reserved, _newFiles, _active) = (0, 0, 0, 0, 0);
            _partials.Clear();
            _open.Clear();
        }
    }

    /// <summary>Sets the counters of whole files to the result of a scan, and recalculates the others.</summary>
    public void Counted(long files, long bytes)
    {
        lock (_lock)
        {
            (_files, _bytes) = (files, bytes);
            (_reserved, _newFiles, _active) = (_open.Sum(r => r.Bytes), _open.Count(r => r.HasFile), _open.Count);
            _partials.Recount();
        }
    }

    /// <inheritdoc cref="ReachedLimits.Note"/>
    public void NoteShortage(string text, int dropped) => _limits.Note(text, dropped);

    /// <summary>An upload begins. The bytes that it announced are reserved.</summary>
    /// <param name="length">Bytes of the whole file, or null.</param>
    /// <param name="more">Bytes of them that are still to come.</param>
    /// <param name="replaced">Bytes of the file that has the name; null if no file has it.</param>
    /// <param name="source">The peer; null if it is not known.</param>
    /// <param name="resumed">The upload that is resumed; null for a new one.</param>
    /// <exception cref="FileStoreException"><c>quota</c>, <c>full</c>.</exception>
    public DiskReservation Begin(long? length, long more, long? replaced, UploadSource? source, DiskShare? resumed)
    {
        CheckFile(length ?? 0);
        var (free, written) = ReadFree();
        lock (_lock)
        {
            if (resumed is null) CheckPartials(source);
            var reservation = new DiskReservation(resumed ?? new() { Source = source });
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

            if (resumed is null) _partials.Add(reservation.Share);
            else _partials.Move(resumed, source);
            _open.Add(reservation);
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
        var free = freeBytes();
        if (free >= options.MinFreeBytes) return;
        throw FileStoreException.Full($"{free} bytes are free, {options.MinFreeBytes} stay free (Perch:Files:MinFreeBytes)", shortage: new(options.MinFreeBytes - free, IsDisk: true));
    }

    /// <summary>Bytes of an upload were written; as far as they were reserved, the reservation shrinks.</summary>
    public void Wrote(DiskReservation reservation, long bytes)
    {
        lock (_lock)
        {
            _partials.Resize(reservation.Share, reservation.Share.Bytes + bytes);
            var used = Math.Min(bytes, reservation.Bytes);
            (reservation.Bytes, _reserved, _written) = (reservation.Bytes - used, _reserved - used, _written + used);
        }
    }

    /// <summary>An unfinished upload was cut.</summary>
    public void Cut(DiskShare share, long length)
    {
        lock (_lock) _partials.Resize(share, length);
    }

    /// <summary>An earlier process left an upload of this length.</summary>
    public DiskShare Found(long bytes)
    {
        lock (_lock)
        {
            var share = new DiskShare { Bytes = bytes };
            _partials.Add(share);
            return share;
        }
    }

    /// <summary>An uploader ends: its reservation is free again. A second call does nothing.</summary>
    public void Release(DiskReservation reservation)
    {
        lock (_lock)
        {
            if (!reservation.IsOpen) return;
            reservation.IsOpen = false;
            _open.Remove(reservation);
            ReleaseFile(reservation);
            (_reserved, _active, _written) = (_reserved - reservation.Bytes, _active - 1, _written + OverheadBytes);
            reservation.Bytes = 0;
        }
    }

    /// <summary>An unfinished upload is gone. A second call, or one after <see cref="Published"/>, does nothing.</summary>
    public void Drop(DiskShare share)
    {
        lock (_lock) _partials.Remove(share);
    }

    /// <summary>An upload has become a file.</summary>
    /// <param name="reservation">Its uploader's.</param>
    /// <param name="bytes">Its length.</param>
    /// <param name="replaced">Bytes of the file that had the name; null if no file had it.</param>
    public void Published(DiskReservation reservation, long bytes, long? replaced)
    {
        lock (_lock)
        {
            _partials.Remove(reservation.Share);
            ReleaseFile(reservation);
            _bytes += bytes - (replaced ?? 0);
            if (replaced is null) _files++;
        }
    }

    public void Deleted(long bytes)
    {
        lock (_lock) (_files, _bytes) = (_files - 1, _bytes - bytes);
    }

    private long Held => Math.Max(0, _bytes) + _partials.Bytes + _reserved;

    private string TooManyPartials => $"there are {options.MaxPartials} unfinished uploads";

    private (long Free, long Written) ReadFree()
    {
        long written;
        lock (_lock) written = _written;
        return (freeBytes(), written);
    }

    private void Reserve(DiskReservation reservation, long bytes, long overhead, long replaced, long free, long written)
    {
        if (options.MaxBytes > 0 && Missing(bytes, (Int128)options.MaxBytes - Held + replaced) is > 0 and var over)
            throw Quota($"the store has at most {options.MaxBytes} bytes", bytes <= options.MaxBytes ? new(over) : null);
        var taken = _reserved + (_active * (long)OverheadBytes) + (_written - written) + overhead;
        if (Missing(bytes, (Int128)free - taken - options.MinFreeBytes) is > 0 and var missing)
        {
            throw new FileStoreException("full", "there is no space for so much", $"{free} bytes are free, {taken} are reserved, {options.MinFreeBytes} stay free")
            {
                IsOfRequest = free >= options.MinFreeBytes,
                Shortage = new(missing, IsDisk: true),
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

    private static long Missing(long bytes, Int128 available) => (long)Int128.Clamp(bytes - available, 0, long.MaxValue);

    private void CheckPartials(UploadSource? source)
    {
        if (_partials.Count >= options.MaxPartials) throw Quota(TooManyPartials, new(0));
        if (source is { } peer && options.MaxPartialsPerSource > 0 && _partials.CountOf(peer) >= options.MaxPartialsPerSource)
            throw Quota($"this address has {options.MaxPartialsPerSource} unfinished uploads", new(0, peer));
    }

    private void CheckFile(long length)
    {
        if (options.MaxFileBytes > 0 && length > options.MaxFileBytes) throw Quota($"a file has at most {options.MaxFileBytes} bytes");
    }

    private static FileStoreException Quota(string text, FileShortage? shortage = null) => new("quota", text) { Shortage = shortage };
}
