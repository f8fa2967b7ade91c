namespace Perch.Cli.Files;

/// <summary>Keeps all transfers together below so many bytes a second, with no burst to catch up behind a pause.</summary>
/// <param name="bytesPerSecond">At least 1.</param>
/// <param name="time">The clock.</param>
internal sealed class RateLimit(long bytesPerSecond, TimeProvider time)
{
    private readonly Lock _lock = new();
    private long _free = time.GetTimestamp();

    /// <summary>A tenth of a second's bytes: so progress is even.</summary>
    public int PieceBytes { get; } = (int)Math.Clamp(bytesPerSecond / 10, 1, TransferMeter.LargestPiece);

    /// <summary>Waits until these bytes may be sent.</summary>
    public async ValueTask TakeAsync(int bytes, CancellationToken cancellationToken)
    {
        TimeSpan wait;
        lock (_lock)
        {
            var now = time.GetTimestamp();
            var begin = Math.Max(now, _free);
            _free = begin + (long)(bytes / (double)bytesPerSecond * time.TimestampFrequency);
            wait = time.GetElapsedTime(now, begin);
        }

        if (wait > TimeSpan.Zero) await Task.Delay(wait, time, cancellationToken);
    }
}
