namespace Perch.Protocols.Files.Disk;

/// <summary>
/// One of the things that are done with every append of an upload, in their order, by whichever of the disk's threads is free.
/// Two lanes do not wait for each other: one may be an append ahead.
/// </summary>
internal sealed class DiskLane(DiskThreads threads, Action<DiskAppend> work) : DiskWork
{
    private readonly Queue<DiskAppend> _waiting = new(IFileUpload.AppendsAtOnce);
    private bool _isTaken;

    /// <param name="append">Is to be done behind those before.</param>
    /// <param name="isLater">A thread that has something else to do for the upload will do it (<see cref="RunHere"/>).</param>
    public void Add(DiskAppend append, bool isLater = false)
    {
        lock (_waiting)
        {
            _waiting.Enqueue(append);
            if (isLater || _isTaken) return;
            _isTaken = true;
        }

        threads.Enqueue(this);
    }

    /// <summary>Does what waits, where nobody else is at it.</summary>
    public void RunHere()
    {
        lock (_waiting)
        {
            if (_isTaken || _waiting.Count == 0) return;
            _isTaken = true;
        }

        Run();
    }

    public override void Run()
    {
        DiskAppend? append;
        lock (_waiting) append = _waiting.Dequeue();
        Exception? fault = null;
        try
        {
            work(append);
        }
        catch (IOException exception)
        {
            fault = Posix.Error(exception, "the disk");
        }
        catch (Exception exception)
        {
            fault = exception;
        }

        // Others have their turn before the next one; and that is on its way before somebody hears of this one.
        var next = TryGoOn();
        append.Done(fault);
        next?.Done(FileStoreException.Unavailable("The store is closed."));
    }

    /// <returns>What nobody will do any more.</returns>
    private DiskAppend? TryGoOn()
    {
        lock (_waiting)
        {
            _isTaken = _waiting.Count > 0;
            if (!_isTaken) return null;
        }

        try
        {
            threads.Enqueue(this);
            return null;
        }
        catch (FileStoreException)
        {
            return _waiting.Dequeue();
        }
    }
}
