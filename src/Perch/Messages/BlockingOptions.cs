using System.ComponentModel.DataAnnotations;

namespace Perch.Messages;

/// <summary>The options of every blocking protocol; a protocol adds its own.</summary>
public class BlockingOptions
{
    /// <summary>Most threads, and so connections, at once; the next connection is rejected. Default 256. A thread costs its stack.</summary>
    [Range(1, 10_000)]
    public int MaxThreads { get; set; } = 256;

    /// <summary>The stack of a thread in bytes. Default 262,144 (256 KiB).</summary>
    [Range(64 * 1024, 16 * 1024 * 1024)]
    public int StackBytes { get; set; } = 256 * 1024;

    /// <summary>How long one read may wait. Default 1 minute; 00:00:00 waits for ever, and a silent peer then holds a thread for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "24.00:00:00")]
    public TimeSpan ReadTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long one write may wait. Default 1 minute; 00:00:00 waits for ever.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "24.00:00:00")]
    public TimeSpan WriteTimeout { get; set; } = TimeSpan.FromMinutes(1);
}
