namespace Perch.Files.S3;

/// <summary>
/// What the bucket holds: counted now and then, and kept up with what this process does in between. What other processes do is known
/// only from the next count on, so limits of the whole store are kept as well as that.
/// </summary>
internal sealed class S3Totals(S3Options options, TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly ReachedLimits _limits = new(time);
    private FileTotals _totals = new(0, 0, 0);
    private long _promised;

    /// <summary>Whether what a new file replaces matters.</summary>
    public bool IsLimited => options.MaxBytes > 0 || options.MaxFiles > 0;

    public FileTotals Value
    {
        get
        {
            lock (_lock) return _totals;
        }
    }

    public FileLimits Limits => _limits.Read(Value.Partials >= options.MaxPartials ? TooManyPartials : null);

    private string TooManyPartials => $"there are {options.MaxPartials} unfinished uploads";

    /// <inheritdoc cref="ReachedLimits.Note"/>
    public void NoteShortage(string text, int dropped) => _limits.Note(text, dropped);

    public void Counted(FileTotals totals)
    {
        lock (_lock) _totals = totals;
    }

    /// <summary>An upload begins. It is promised what it says it will bring.</summary>
    /// <param name="length">Bytes of the whole file, or null.</param>
    /// <param name="more">Bytes that are to come of them.</param>
    /// <param name="replaced">Bytes of the file that has the name; null where none has.</param>
    /// <param name="isNew">False where an upload that is counted already goes on.</param>
    /// <exception cref="FileStoreException"><c>quota</c>.</exception>
    public void Begin(long? length, long more, long? replaced, bool isNew)
    {
        CheckFile(length ?? 0);
        lock (_lock)
        {
            if (isNew && _totals.Partials >= options.MaxPartials) throw Quota(TooManyPartials, new(0));
            if (options.MaxFiles > 0 && replaced is null && _totals.Files >= options.MaxFiles) throw Quota($"there are {options.MaxFiles} files");
            if (options.MaxBytes > 0 && (Int128)_totals.Bytes + _promised + more - (replaced ?? 0) - options.MaxBytes is var over && over > 0)
                throw Quota($"the store has at most {options.MaxBytes} bytes", more <= options.MaxBytes ? new((long)over) : null);
            if (isNew) _totals = _totals with { Partials = _totals.Partials + 1 };
            _promised += more;
        }
    }

    /// <summary>Bytes came.</summary>
    /// <param name="length">What the file has with them.</param>
    /// <param name="more">How many.</param>
    /// <param name="promised">How many of them had been announced.</param>
    /// <exception cref="FileStoreException"><c>quota</c>.</exception>
    public void Grow(long length, long more, long promised)
    {
        CheckFile(length);
        lock (_lock)
        {
            if (more > promised && options.MaxBytes > 0 && _totals.Bytes + _promised + more - promised > options.MaxBytes) throw Quota($"the store has at most {options.MaxBytes} bytes");
            _totals = _totals with { Bytes = _totals.Bytes + more };
            _promised -= promised;
        }
    }

    /// <summary>An upload goes on from before its end.</summary>
    public void Cut(long bytes)
    {
        lock (_lock) _totals = _totals with { Bytes = Math.Max(0, _totals.Bytes - bytes) };
    }

    /// <summary>An upload was left: what it was promised is free again.</summary>
    public void Leave(long promised)
    {
        lock (_lock) _promised -= promised;
    }

    /// <summary>An unfinished upload is gone.</summary>
    public void Dropped(long bytes)
    {
        lock (_lock) _totals = _totals with { Bytes = Math.Max(0, _totals.Bytes - bytes), Partials = Math.Max(0, _totals.Partials - 1) };
    }

    /// <summary>An upload has become a file.</summary>
    public void Published(long? replaced)
    {
        lock (_lock) _totals = new(_totals.Files + (replaced is null ? 1 : 0), Math.Max(0, _totals.Bytes - (replaced ?? 0)), Math.Max(0, _totals.Partials - 1));
    }

    public void Deleted(long bytes)
    {
        lock (_lock) _totals = _totals with { Files = Math.Max(0, _totals.Files - 1), Bytes = Math.Max(0, _totals.Bytes - bytes) };
    }

    private void CheckFile(long length)
    {
        if (options.MaxFileBytes > 0 && length > options.MaxFileBytes) throw Quota($"a file has at most {options.MaxFileBytes} bytes");
    }

    private static FileStoreException Quota(string text, FileShortage? shortage = null) => new("quota", text) { Shortage = shortage };
}
