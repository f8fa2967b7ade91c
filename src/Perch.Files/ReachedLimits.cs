namespace Perch.Files;

/// <summary>Remembers the limit that a store reached last, for the readiness. For any thread.</summary>
internal sealed class ReachedLimits(TimeProvider time)
{
    private static readonly TimeSpan Shown = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private string? _text;
    private long _at;
    private long _dropped;

    /// <param name="text">The refusal.</param>
    /// <param name="dropped">Idle uploads that were dropped to make room.</param>
    public void Note(string text, int dropped)
    {
        lock (_lock) (_text, _at, _dropped) = (text, time.GetTimestamp(), _dropped + dropped);
    }

    /// <param name="now">A limit that is reached now, or null.</param>
    public FileLimits Read(string? now)
    {
        lock (_lock) return new(now ?? (_text is not null && time.GetElapsedTime(_at) < Shown ? _text : null), _dropped);
    }
}
