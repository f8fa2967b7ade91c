namespace Perch.Cli.Bench;

/// <summary>What a load has done so far: one thread counts, others look.</summary>
internal sealed class BenchProgress
{
    public LatencyHistogram Latency { get; } = new();

    public long Messages { get; set; }

    /// <summary>Bytes that arrived; for a one-way stream, that were sent.</summary>
    public long Bytes { get; set; }

    /// <summary>Connections that are up.</summary>
    public int Up { get; set; }

    /// <summary>Connections that failed, ended or answered wrongly.</summary>
    public long Errors { get; set; }

    /// <summary>Of these: answers that were not what they should be.</summary>
    public long Wrong { get; set; }

    /// <summary>Datagrams without an answer.</summary>
    public long Lost { get; set; }

    /// <summary>Messages of an open loop that could not be sent, since too many waited for their answers; counted with their wait until the end.</summary>
    public long Unsent { get; set; }

    /// <summary>The first error, for a person; null where there is none.</summary>
    public string? FirstError { get; set; }

    public bool IsMeasuring { get; set; }

    public void Fail(string what)
    {
        Errors++;
        FirstError ??= what;
    }
}
