using System.ComponentModel.DataAnnotations;

namespace Perch.Records;

/// <summary>The store of all <c>record</c> endpoints: <c>Perch:Records</c>. A change takes effect at the next start.</summary>
internal class RecordsOptions
{
    /// <summary>The name of the store, in any case. Default <c>Sqlite</c>.</summary>
    [Required]
    public string Store { get; set; } = "Sqlite";

    /// <summary>The file of a SQLite store, relative to the content root. Default <c>data/records.db</c>.</summary>
    [Required]
    public string Path { get; set; } = "data/records.db";

    /// <summary>Most records that wait to be stored; while there are so many, sockets are not read. Default 100,000.</summary>
    [Range(1, 10_000_000)]
    public int QueueRecords { get; set; } = 100_000;

    /// <summary>Most bytes that wait to be stored. Default 67,108,864 (64 MiB).</summary>
    [Range(1024, 4L * 1024 * 1024 * 1024)]
    public long QueueBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Most records of one transaction. Default 10,000.</summary>
    [Range(1, 1_000_000)]
    public int CommitRecords { get; set; } = 10_000;

    /// <summary>Most bytes of one transaction; a larger single batch is a transaction of its own. Default 8,388,608 (8 MiB).</summary>
    [Range(1024, 1024 * 1024 * 1024)]
    public int CommitBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>How long a transaction waits for company: more throughput for many slow senders, each acknowledged later. Default 0.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan CommitDelay { get; set; }

    /// <summary>How long a record may wait for its commit; then its sender gets <c>ERR unavailable</c>. Default 10 seconds.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the key of a record is remembered. Default 7 days; 00:00:00 for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "3650.00:00:00")]
    public TimeSpan DeduplicateWindow { get; set; } = TimeSpan.FromDays(7);

    /// <summary>What is deleted by itself.</summary>
    public RetentionOptions Retention { get; set; } = new();
}

/// <summary>Retention by age and by count; both off by default.</summary>
internal sealed class RetentionOptions
{
    /// <summary>Records older than this are deleted. Default 00:00:00: none.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "36500.00:00:00")]
    public TimeSpan MaxAge { get; set; }

    /// <summary>The oldest records beyond so many are deleted. Default 0: none.</summary>
    [Range(0, long.MaxValue)]
    public long MaxRows { get; set; }
}
