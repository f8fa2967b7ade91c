using System.ComponentModel.DataAnnotations;
using Perch.Protocols.Files.S3;

namespace Perch.Protocols.Files;

/// <summary>The kinds of store.</summary>
internal enum FileStoreKind
{
    /// <summary>A folder of this machine.</summary>
    Disk,

    /// <summary>A bucket of Amazon S3, or of a server that speaks its protocol, that several processes share.</summary>
    S3,
}

/// <summary>What goes with requests and answers beside the signature to tell damaged bytes.</summary>
internal enum S3Checksums
{
    /// <summary>Wherever the protocol has a place for them.</summary>
    WhenSupported,

    /// <summary>Only where the protocol asks for them: for servers that do not know them.</summary>
    WhenRequired,
}

/// <summary>The store of all <c>files</c> and <c>upload</c> endpoints and of HTTP: <c>Perch:Files</c>. A change takes effect at the next start.</summary>
internal sealed class FileStoreOptions : IValidatableObject
{
    /// <summary>Which store. Default Disk.</summary>
    public FileStoreKind Store { get; set; } = FileStoreKind.Disk;

    /// <summary>The folder of a Disk store, relative to the content root. Default <c>data/files</c>.</summary>
    [Required]
    public string Path { get; set; } = "data/files";

    /// <summary>The bucket of an S3 store; it has to be there. Default empty.</summary>
    public string Bucket { get; set; } = "";

    /// <summary>What all keys in the bucket begin with: empty, or a path that ends with a slash. Default empty.</summary>
    public string Prefix { get; set; } = "";

    /// <summary>Where an S3 server of one's own is, such as <c>https://s3.example.org:9000</c>. Default empty: Amazon's.</summary>
    public string ServiceUrl { get; set; } = "";

    /// <summary>The region of the bucket. Default empty: what AWS_REGION or the profile says; with a ServiceUrl <c>us-east-1</c>.</summary>
    public string Region { get; set; } = "";

    /// <summary>Whether the bucket is the begin of the path, and not of the host's name: what most servers of one's own want. Default false.</summary>
    public bool PathStyle { get; set; }

    /// <summary>Checksums of S3 requests. Default WhenSupported.</summary>
    public S3Checksums Checksums { get; set; } = S3Checksums.WhenSupported;

    /// <summary>
    /// The access key for S3. Default empty, like <see cref="SecretKey"/>: the SDK looks in the environment, the profile, and the
    /// role of the container or machine.
    /// </summary>
    public string AccessKey { get; set; } = "";

    /// <summary>The secret that goes with <see cref="AccessKey"/>.</summary>
    public string SecretKey { get; set; } = "";

    /// <summary>The token that goes with a temporary <see cref="AccessKey"/>. Default empty.</summary>
    public string SessionToken { get; set; } = "";

    /// <summary>
    /// Bytes of a part of an S3 upload; a smaller file is one request. Default 8,388,608 (8 MiB). S3 takes 10,000 parts, so this
    /// bounds a file of unknown length (78 GiB); where the length is known, larger parts are taken as needed.
    /// </summary>
    [Range(5 * 1024 * 1024, 1024 * 1024 * 1024)]
    public int PartBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>Most parts of one S3 upload that are on their way at once. Default 4. So many and one more wait in <see cref="Spool"/>.</summary>
    [Range(1, 64)]
    public int PartsInFlight { get; set; } = 4;

    /// <summary>
    /// The folder, relative to the content root, where bytes wait for S3: of each upload at most one part more than
    /// <see cref="PartsInFlight"/>, and nothing after the process has ended. Default <c>data/spool</c>.
    /// </summary>
    [Required]
    public string Spool { get; set; } = "data/spool";

    /// <summary>How long one request to S3 may take, and one wait for bytes of an answer. Default 1 minute.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How often a request to S3 is tried again, with growing waits. Default 2.</summary>
    [Range(0, 10)]
    public int Retries { get; set; } = 2;

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

    /// <summary>When an unfinished upload that nobody goes on with is deleted. Default 1 day.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "3650.00:00:00")]
    public TimeSpan AbandonAfter { get; set; } = TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) => Store == FileStoreKind.S3 ? S3Settings.Faults(this) : [];
}
