using System.ComponentModel.DataAnnotations;

namespace Perch.Files.S3;

/// <summary>The keys of <c>Perch:Files</c>, and those of an S3 store beside them.</summary>
internal sealed class S3Options : FileStoreOptions, IValidatableObject
{
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

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
        S3Registration.StoreName.Equals(Store, StringComparison.OrdinalIgnoreCase) ? S3Settings.Faults(this) : [];
}
