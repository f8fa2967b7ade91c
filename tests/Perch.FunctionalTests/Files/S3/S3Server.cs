using System.Collections.Concurrent;
using Amazon.S3;
using Amazon.S3.Model;
using Perch.Files.S3;

namespace Perch.FunctionalTests.Files.S3;

/// <summary>
/// The servers that <c>.ci/s3-server run</c> starts, and a bucket of this run's own on each. Without them the tests are skipped by
/// name on a developer's machine, and run (and so fail) where the environment variable CI is "true".
/// </summary>
internal static class S3Server
{
    /// <summary>OpenStack Swift: checks signatures and has no conditional PUT.</summary>
    public const string Swift = "Swift";

    /// <summary>moto: takes every signature, and has conditional PUT.</summary>
    public const string Moto = "Moto";

    private static readonly ConcurrentDictionary<string, Task<string>> Buckets = new(StringComparer.Ordinal);

    public static string[] Kinds => [Swift, Moto];

    public static string? SkipReason => Environment.GetEnvironmentVariable("CI") != "true" && Kinds.Any(kind => UrlOf(kind) is null) ? "no S3 server: see .ci/s3-server" : null;

    public static Uri Url(string kind) => new(UrlOf(kind) ?? throw new InvalidOperationException($"{Variable(kind)} is not set: see .ci/s3-server."));

    /// <summary>Options for a store under a prefix of its own, with the smallest parts that S3 takes.</summary>
    public static async Task<S3Options> OptionsAsync(string kind, Action<S3Options>? configure = null)
    {
        var options = WithoutBucket(kind);
        options.Bucket = await Buckets.GetOrAdd(kind, MakeBucketAsync);
        options.Prefix = $"写真 {Guid.NewGuid():N}/";
        configure?.Invoke(options);
        return options;
    }

    /// <summary>A client beside the store's.</summary>
    public static AmazonS3Client CreateClient(string kind) => S3Settings.CreateClient(WithoutBucket(kind));

    /// <summary>Whether the server evaluates a condition of <c>PutObject</c>: with one that does not hold it refuses the request.</summary>
    /// <param name="kind">The server.</param>
    /// <param name="set">Sets the condition.</param>
    public static async Task<bool> KeepsAsync(string kind, Action<PutObjectRequest> set)
    {
        using var client = CreateClient(kind);
        var request = new PutObjectRequest { BucketName = await Buckets.GetOrAdd(kind, MakeBucketAsync), Key = Guid.NewGuid().ToString(), ContentBody = "x" };
        await client.PutObjectAsync(request);
        set(request);
        return await IsRefusedAsync(() => client.PutObjectAsync(request));
    }

    /// <summary>Whether the server evaluates a condition of <c>CompleteMultipartUpload</c>.</summary>
    /// <param name="kind">The server.</param>
    /// <param name="set">Sets the condition.</param>
    public static async Task<bool> KeepsCompleteAsync(string kind, Action<CompleteMultipartUploadRequest> set)
    {
        using var client = CreateClient(kind);
        var (bucket, key) = (await Buckets.GetOrAdd(kind, MakeBucketAsync), Guid.NewGuid().ToString());
        await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = key, ContentBody = "x" });
        var upload = (await client.InitiateMultipartUploadAsync(new InitiateMultipartUploadRequest { BucketName = bucket, Key = key })).UploadId;
        using var body = new MemoryStream([1]);
        var part = await client.UploadPartAsync(new UploadPartRequest { BucketName = bucket, Key = key, UploadId = upload, PartNumber = 1, InputStream = body, PartSize = 1 });
        var request = new CompleteMultipartUploadRequest { BucketName = bucket, Key = key, UploadId = upload, PartETags = [new(1, part.ETag)] };
        set(request);
        return await IsRefusedAsync(() => client.CompleteMultipartUploadAsync(request));
    }

    /// <summary>Whether the server evaluates <c>If-Match</c> of <c>DeleteObject</c>.</summary>
    public static async Task<bool> KeepsDeleteMatchAsync(string kind)
    {
        using var client = CreateClient(kind);
        var (bucket, key) = (await Buckets.GetOrAdd(kind, MakeBucketAsync), Guid.NewGuid().ToString());
        await client.PutObjectAsync(new PutObjectRequest { BucketName = bucket, Key = key, ContentBody = "x" });
        return await IsRefusedAsync(() => client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = bucket, Key = key, IfMatch = "\"0\"" }));
    }

    private static async Task<bool> IsRefusedAsync(Func<Task> request)
    {
        try
        {
            await request();
            return false;
        }
        catch (AmazonS3Exception exception)
        {
            return exception.StatusCode == System.Net.HttpStatusCode.PreconditionFailed;
        }
    }

    private static S3Options WithoutBucket(string kind) => new()
    {
        Store = S3Registration.StoreName,
        ServiceUrl = Url(kind).ToString(),
        PathStyle = true,
        AccessKey = "test:tester",
        SecretKey = "testing",
        Checksums = kind == Moto ? S3Checksums.WhenRequired : S3Checksums.WhenSupported,
        PartBytes = 5 * 1024 * 1024,
        PartsInFlight = 2,
        Timeout = TimeSpan.FromSeconds(20),
    };

    private static async Task<string> MakeBucketAsync(string kind)
    {
        using var client = CreateClient(kind);
        var name = $"perch-{Guid.NewGuid():N}";
        await client.PutBucketAsync(new PutBucketRequest { BucketName = name });
        return name;
    }

    private static string? UrlOf(string kind) => Environment.GetEnvironmentVariable(Variable(kind));

    private static string Variable(string kind) => kind == Swift ? "PERCH_TEST_S3" : "PERCH_TEST_S3_MOTO";
}
