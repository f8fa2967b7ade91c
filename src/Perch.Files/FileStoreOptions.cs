using System.ComponentModel.DataAnnotations;

namespace Perch.Files;

/// <summary>The store of all <c>files</c> and <c>upload</c> endpoints and of HTTP: <c>Perch:Files</c>. A change takes effect at the next start.</summary>
internal class FileStoreOptions
{
    /// <summary>The name of the store, in any case. Default <c>Disk</c>.</summary>
    [Required]
    public string Store { get; set; } = "Disk";

    /// <summary>The folder of a Disk store, relative to the content root. Default <c>data/files</c>.</summary>
    [Required]
    public string Path { get; set; } = "data/files";

    /// <summary>
    /// How long a peer waits for the disk to begin an upload, to sync it and give it its name, to open a file or to list some,
    /// before it is told that the store cannot be used. Default 5 minutes: a slow disk takes its time to sync a large file.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan DiskTimeout { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Whether a Disk store writes the whole parts (2 MiB) of large uploads past the system's page cache (open(2), <c>O_DIRECT</c>), where
    /// the file system can: they take less of the processor, and push nothing else out of memory. Default true. False where
    /// files are read back at once, which then find them there.
    /// </summary>
    public bool DirectWrites { get; set; } = true;

    /// <summary>Most bytes of one file. Default 0: no limit but the disk's.</summary>
    [Range(0, long.MaxValue)]
    public long MaxFileBytes { get; set; }

    /// <summary>Most bytes of all files and unfinished uploads together. Default 0: no limit but the disk's.</summary>
    [Range(0, long.MaxValue)]
    public long MaxBytes { get; set; }

    /// <summary>Most files. Default 0: no limit.</summary>
    [Range(0, long.MaxValue)]
    public long MaxFiles { get; set; }

    /// <summary>
    /// Maximum number of unfinished uploads, those in progress included. At the maximum the oldest idle one is dropped for each new one.
    /// Default 10,000; each that can be resumed takes about a kilobyte of memory.
    /// </summary>
    [Range(1, 1_000_000)]
    public int MaxPartials { get; set; } = 10_000;

    /// <summary>
    /// Disk: maximum number of unfinished uploads of one IPv4 address, or of the /64 of an IPv6 one. At the maximum the oldest idle one of that
    /// address is dropped. Default 1,000. 0: no limit, so that one peer can drop the idle uploads of all others.
    /// </summary>
    [Range(0, 1_000_000)]
    public int MaxPartialsPerSource { get; set; } = 1000;

    /// <summary>No upload takes the disk below so many free bytes. Default 67,108,864 (64 MiB).</summary>
    [Range(0, long.MaxValue)]
    public long MinFreeBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>Time without new bytes after which an unfinished upload is deleted. Default 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan AbandonAfter { get; set; } = TimeSpan.FromDays(1);
}
