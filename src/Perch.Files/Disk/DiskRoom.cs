namespace Perch.Files.Disk;

/// <summary>
/// Makes room when a limit is reached: drops the idle upload that was left first, and further ones while bytes are missing. An upload that
/// a connection writes is never dropped.
/// </summary>
internal sealed class DiskRoom(DiskUploads uploads, DiskQuota quota, TimeProvider time)
{
    /// <summary>How long an upload is idle before it makes room on a full disk.</summary>
    public static readonly TimeSpan DiskGrace = TimeSpan.FromMinutes(1);

    /// <summary>One thread at a time, so that none sees an upload that another is dropping and takes it for one that stays.</summary>
    private readonly Lock _making = new();

    /// <summary>Runs a reservation, again after each time that room was made for it.</summary>
    /// <param name="own">The upload that the bytes are for, which must stay; null for a new one.</param>
    /// <param name="reserve">The reservation.</param>
    /// <exception cref="FileStoreException">The refusal, if no room can be made.</exception>
    public T Reserve<T>(DiskPartial? own, Func<T> reserve)
    {
        try
        {
            return reserve();
        }
        catch (FileStoreException refusal) when (refusal.Shortage is not null)
        {
            return ReserveWithRoom(own, reserve);
        }
    }

    /// <inheritdoc cref="Reserve{T}"/>
    /// <remarks>For a reservation that was refused. Waits for no lock of an upload, since the caller may hold one.</remarks>
    public T ReserveWithRoom<T>(DiskPartial? own, Func<T> reserve)
    {
        lock (_making)
        {
            while (true)
            {
                try
                {
                    return reserve();
                }
                catch (FileStoreException refusal)
                {
                    // Not in a filter: a filter runs before the locks of the reservation are released.
                    if (!TryMake(refusal, own)) throw;
                }
            }
        }
    }

    /// <returns>False if dropping every idle upload would not make enough room: then none is dropped.</returns>
    private bool TryMake(FileStoreException refusal, DiskPartial? own)
    {
        if (refusal.Shortage is not { } shortage) return false;
        var idle = uploads.Idle(shortage.Source);
        var leftBefore = shortage.IsDisk ? time.GetUtcNow() - DiskGrace : DateTimeOffset.MaxValue;
        idle.RemoveAll(partial => partial == own || partial.Touched > leftBefore);
        var dropped = idle.Sum(partial => (decimal)partial.Share.Bytes) >= shortage.Bytes ? Drop(idle, shortage.Bytes) : 0;
        // A request for more than the disk has is no trouble of the store.
        if (dropped > 0 || !refusal.IsOfRequest) quota.NoteShortage(refusal.Text, dropped);
        return dropped > 0;
    }

    /// <returns>The number of uploads that were dropped.</returns>
    private int Drop(List<DiskPartial> idle, long missing)
    {
        var (dropped, freed) = (0, 0L);
        foreach (var partial in idle)
        {
            var bytes = partial.Share.Bytes;
            if (!uploads.TryDropIdle(partial)) continue;
            (dropped, freed) = (dropped + 1, freed + bytes);
            if (freed >= missing) break;
        }

        return dropped;
    }
}
