namespace Perch.Cli.Record;

/// <summary>How <c>perch record</c> sends.</summary>
internal sealed record RecordOptions
{
    /// <summary>Lines that may wait for their acknowledgement, 1 to 100,000; with their bytes bounded by <see cref="WindowBytes"/>.</summary>
    public int Window { get; init; } = 1000;

    /// <summary>Bytes that may wait, one line excepted.</summary>
    public int WindowBytes { get; init; } = 16 * 1024 * 1024;

    /// <summary>How long to go on without a connection; null: for ever.</summary>
    public TimeSpan? GiveUp { get; init; }

    /// <summary>A line that the server will never take is told and left out; else it ends the run.</summary>
    public bool SkipRefused { get; init; }
}
