using System.ComponentModel.DataAnnotations;

namespace Perch.Protocols.Files;

/// <summary>The kinds of store.</summary>
internal enum FileStoreKind
{
    /// <summary>A folder of this machine.</summary>
    Disk,
}

/// <summary>The store of all <c>files</c> and <c>upload</c> endpoints and of HTTP: <c>Perch:Files</c>. A change takes effect at the next start.</summary>
internal sealed class FileStoreOptions
{
    /// <summary>Which store. Default Disk.</summary>
    public FileStoreKind Store { get; set; } = FileStoreKind.Disk;

    /// <summary>The folder, relative to the content root. Default <c>data/files</c>.</summary>
    [Required]
    public string Path { get; set; } = "data/files";

    /// <summary>Most bytes of one file. Default 0: no limit but the disk's.</summary>
    [Range(0, long.MaxValue)]
    public long MaxFileBytes { get; set; }

    /// <summary>Most bytes of all files and unfinished uploads together. Default 0: no limit but the disk's.</summary>
    [Range(0, long.MaxValue)]
    public long MaxBytes { get; set; }

    /// <summary>Most files. Default 0: no limit.</summary>
    [Range(0, long.MaxValue)]
    public long MaxFiles { get; set; }

    /// <summary>Most unfinished uploads, those in progress too. Default 10,000; each that can be resumed takes about a kilobyte of memory.</summary>
    [Range(1, 1_000_000)]
    public int MaxPartials { get; set; } = 10_000;

    /// <summary>No upload takes the disk below so many free bytes. Default 67,108,864 (64 MiB).</summary>
    [Range(0, long.MaxValue)]
    public long MinFreeBytes { get; set; } = 64 * 1024 * 1024;

    /// <summary>When an unfinished upload that nobody goes on with is deleted. Default 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan AbandonAfter { get; set; } = TimeSpan.FromDays(1);
}
