namespace Perch.Cli.Record;

/// <summary>What a run has done.</summary>
internal sealed record RecordSummary
{
    /// <summary>Lines that were acknowledged.</summary>
    public long Stored { get; set; }

    /// <summary>Lines that the server will never take, and that were left out.</summary>
    public long Skipped { get; set; }

    /// <summary>Connections after the first.</summary>
    public long Reconnects { get; set; }

    /// <summary>The row of the last line; -1 where the answer has none.</summary>
    public long LastId { get; set; } = -1;
}
