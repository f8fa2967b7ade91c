namespace Perch.Files.Disk;

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
        bool isHandedOn;
        do
        {
            DiskAppend append;
            lock (_waiting) append = _waiting.Dequeue();
            var fault = Work(append);
            // The next one is on its way before somebody hears of this one.
            isHandedOn = TryHandOn();
            append.Done(fault);
        }
        while (!isHandedOn);
    }

    private Exception? Work(DiskAppend append)
    {
        try
        {
            work(append);
            return null;
        }
        catch (IOException exception)
        {
            return DiskError.Of(exception, "the disk");
        }
        catch (Exception exception)
        {
            return exception;
        }
    }

    /// <summary>Others have their turn before what still waits.</summary>
    /// <returns>False where the store is closed: nobody else will do what was asked before.</returns>
    private bool TryHandOn()
    {
        lock (_waiting)
        {
            _isTaken = _waiting.Count > 0;
            if (!_isTaken) return true;
        }

        try
        {
            threads.Enqueue(this);
            return true;
        }
        catch (FileStoreException)
        {
            return false;
        }
    }
}
