namespace Perch.Tftp;

/// <summary>Why a wait for the peer ended without a datagram.</summary>
internal enum TftpSignal
{
    /// <summary>Its time was over.</summary>
    Timeout,

    /// <summary>The peer has sent its request again.</summary>
    Repeated,

    /// <summary>The transfer is to end: <see cref="TftpWait.End"/> has said why.</summary>
    End,
}

/// <summary>
/// The token that ends a transfer's waits: at a deadline, or when another thread has something to say. What is said while
/// nobody waits ends the next wait.
/// </summary>
internal sealed class TftpWait(TimeProvider time) : IDisposable
{
    private readonly Lock _lock = new();
    private CancellationTokenSource _source = new(Timeout.InfiniteTimeSpan, time);
    private bool _isRepeated;
    private bool _isDisposed;
    private long _armedAt;
    private TimeSpan _within;

    /// <summary>Why the transfer is to end; null while it is not.</summary>
    public TftpOutcome? Ending { get; private set; }

    /// <summary>From now on the token ends after this time.</summary>
    public CancellationToken Arm(TimeSpan within)
    {
        (_armedAt, _within) = (time.GetTimestamp(), within);
        return Arm();
    }

    /// <summary>The wait that was interrupted goes on to its deadline.</summary>
    public CancellationToken Arm()
    {
        lock (_lock)
        {
            var left = _within - time.GetElapsedTime(_armedAt);
            if (_source.IsCancellationRequested)
            {
                _source.Dispose();
                _source = new(Timeout.InfiniteTimeSpan, time);
            }

            if (_isRepeated || Ending is not null) _source.Cancel();
            else _source.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            return _source.Token;
        }
    }

    /// <summary>Why the token was cancelled.</summary>
    public TftpSignal Take()
    {
        lock (_lock)
        {
            if (Ending is not null) return TftpSignal.End;
            var signal = _isRepeated ? TftpSignal.Repeated : TftpSignal.Timeout;
            _isRepeated = false;
            return signal;
        }
    }

    /// <summary>The peer has sent its request again; for any thread.</summary>
    public void Repeat()
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            _isRepeated = true;
            _source.Cancel();
        }
    }

    /// <summary>Ends the transfer; the first reason stays. For any thread.</summary>
    public void End(TftpOutcome outcome)
    {
        lock (_lock)
        {
            if (_isDisposed) return;
            Ending ??= outcome;
            _source.Cancel();
        }
    }

    public void Dispose()
    {
        lock (_lock)
        {
            _isDisposed = true;
            _source.Dispose();
        }
    }
}
