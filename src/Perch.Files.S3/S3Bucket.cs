using System.Net;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Perch.Wire;

namespace Perch.Files.S3;

/// <summary>
/// The requests to one bucket that the store makes, under its prefix. Every failure leaves as a <see cref="FileStoreException"/> that
/// tells the operator what to do; the SDK has tried again by then.
/// </summary>
internal sealed class S3Bucket(IAmazonS3 client, string bucket, string prefix, TimeSpan timeout) : IDisposable
{
    /// <summary>S3's own limit.</summary>
    public const int MaxKeyBytes = 1024;

    /// <summary>Bodies that are sent at once; each takes the SDK's buffers, and their uploads wait in the spool meanwhile.</summary>
    private const int MaxSending = 32;

    private const int MaxDetailChars = 300;

    private readonly SemaphoreSlim _sending = new(MaxSending);

    /// <summary>What all keys begin with.</summary>
    public string Prefix { get; } = prefix;

    /// <summary>How long one wait for bytes of an answer may take.</summary>
    public TimeSpan Timeout { get; } = timeout;

    /// <summary>Where in the log and the readiness this is.</summary>
    public string Place => $"bucket {bucket}";

    /// <summary>Whether a request failed since <see cref="ProbeAsync"/>.</summary>
    public bool IsSuspect { get; private set; } = true;

    /// <summary>Finds out whether the bucket can be written: asks for an object, or puts it where there is doubt.</summary>
    public async Task ProbeAsync(string key, CancellationToken cancellationToken)
    {
        if (IsSuspect || await HeadAsync(key, cancellationToken) is null) await PutAsync(key, new MemoryStream());
        IsSuspect = false;
    }

    /// <summary>The headers of an object; null where there is none.</summary>
    public Task<GetObjectMetadataResponse?> HeadAsync(string key, CancellationToken cancellationToken) => OrNullAsync(
        () => client.GetObjectMetadataAsync(new GetObjectMetadataRequest { BucketName = bucket, Key = Prefix + key }, cancellationToken), cancellationToken);

    /// <summary>An object, or the bytes of it from an offset on; null where there is none. To be disposed.</summary>
    /// <param name="key">Under the prefix.</param>
    /// <param name="from">Where to begin.</param>
    /// <param name="to">The last byte.</param>
    /// <param name="version">Which one; null takes what is there now.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task<GetObjectResponse?> GetAsync(string key, long from, long to, S3Version? version, CancellationToken cancellationToken)
    {
        var request = new GetObjectRequest { BucketName = bucket, Key = Prefix + key };
        if (from > 0 || to < long.MaxValue) request.ByteRange = new(from, to);
        if (version is { VersionId: { } id }) request.VersionId = id;
        else if (version is { ETag: var etag }) request.EtagToMatch = etag;
        return OrNullAsync(() => client.GetObjectAsync(request, cancellationToken), cancellationToken);
    }

    /// <summary>Puts an object that is there, whole, when this ends.</summary>
    /// <param name="key">Under the prefix.</param>
    /// <param name="body">Its bytes; read again where the request is tried again.</param>
    /// <param name="metadata">What goes with it.</param>
    /// <param name="condition">What has to be there now.</param>
    /// <returns>Its ETag; null where the condition did not hold.</returns>
    /// <exception cref="NotSupportedException">The server has no conditional PUT.</exception>
    public async Task<string?> PutAsync(string key, Stream body, IEnumerable<KeyValuePair<string, string>>? metadata = null, S3Condition condition = default)
    {
        var request = new PutObjectRequest { BucketName = bucket, Key = Prefix + key, InputStream = body, AutoCloseStream = false, IfMatch = condition.ETag, IfNoneMatch = condition.IsNew ? "*" : null };
        foreach (var (name, value) in metadata ?? []) request.Metadata[name] = value;
        await _sending.WaitAsync();
        try
        {
            return (await client.PutObjectAsync(request)).ETag;
        }
        catch (AmazonS3Exception exception) when (condition.IsSet && exception.StatusCode is HttpStatusCode.PreconditionFailed or HttpStatusCode.Conflict or HttpStatusCode.NotFound)
        {
            // 412; 409 where two such requests met; 404 where what had to match is gone.
            return exception.ErrorCode == "NoSuchBucket" ? throw Failure(exception, default) : null;
        }
        catch (AmazonS3Exception exception) when (condition.IsSet && exception.StatusCode == HttpStatusCode.NotImplemented)
        {
            throw new NotSupportedException("The server has no conditional PUT.", exception);
        }
        catch (Exception exception)
        {
            throw Failure(exception, default);
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Deletes an object, if it is there.</summary>
    public Task DeleteAsync(string key) => OrNullAsync(() => client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = bucket, Key = Prefix + key }), default);

    /// <summary>Deletes an object if it has this ETag.</summary>
    /// <returns>False if it has another one, or is gone.</returns>
    public async Task<bool> TryDeleteAsync(string key, string etag) =>
        await OrNullAsync(() => client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = bucket, Key = Prefix + key, IfMatch = etag }), default) is not null;

    /// <summary>A page of the objects whose keys begin so, in the order of the keys' bytes.</summary>
    /// <param name="keyPrefix">Under the prefix.</param>
    /// <param name="after">Under the prefix; only what is behind it.</param>
    /// <param name="limit">At most so many, 1 to 1,000.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The keys without the prefix, and whether there are more.</returns>
    public async Task<(List<S3Object> Objects, bool HasMore)> ListAsync(string keyPrefix, string after, int limit, CancellationToken cancellationToken)
    {
        var request = new ListObjectsV2Request { BucketName = bucket, Prefix = Prefix + keyPrefix, StartAfter = after.Length == 0 ? null : Prefix + after, MaxKeys = limit };
        var response = await CallAsync(() => client.ListObjectsV2Async(request, cancellationToken), cancellationToken);
        var objects = response.S3Objects ?? [];
        objects.ForEach(o => o.Key = o.Key[Prefix.Length..]);
        return (objects, response.IsTruncated == true);
    }

    public async Task<string> BeginMultipartAsync(string key, IEnumerable<KeyValuePair<string, string>> metadata)
    {
        var request = new InitiateMultipartUploadRequest { BucketName = bucket, Key = Prefix + key };
        foreach (var (name, value) in metadata) request.Metadata[name] = value;
        return (await CallAsync(() => client.InitiateMultipartUploadAsync(request), default)).UploadId;
    }

    /// <returns>The part's ETag.</returns>
    public async Task<string> PutPartAsync(string key, string uploadId, int number, Stream body)
    {
        var request = new UploadPartRequest { BucketName = bucket, Key = Prefix + key, UploadId = uploadId, PartNumber = number, InputStream = body, PartSize = body.Length };
        await _sending.WaitAsync();
        try
        {
            return (await CallAsync(() => client.UploadPartAsync(request), default)).ETag ?? throw FileStoreException.Unavailable($"{Place} gives no ETag for a part");
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <returns>The parts in the order of their numbers; null where there is no such upload.</returns>
    public async Task<List<PartDetail>?> ListPartsAsync(string key, string uploadId, CancellationToken cancellationToken)
    {
        var parts = new List<PartDetail>();
        var request = new ListPartsRequest { BucketName = bucket, Key = Prefix + key, UploadId = uploadId };
        while (true)
        {
            if (await OrNullAsync(() => client.ListPartsAsync(request, cancellationToken), cancellationToken) is not { } page) return null;
            parts.AddRange(page.Parts ?? []);
            if (page.IsTruncated != true || page.Parts is not { Count: > 0 }) return parts;
            request.PartNumberMarker = page.NextPartNumberMarker?.ToString(System.Globalization.CultureInfo.InvariantCulture);
        }
    }

    /// <returns>False where there is no such upload, as it may have been completed already, and where the condition did not hold.</returns>
    /// <exception cref="FileStoreException"><c>superseded</c>: a part is another than the one that was put.</exception>
    public async Task<bool> CompleteMultipartAsync(string key, string uploadId, IEnumerable<string> etags, S3Condition condition = default)
    {
        var request = new CompleteMultipartUploadRequest
        {
            BucketName = bucket,
            Key = Prefix + key,
            UploadId = uploadId,
            PartETags = [.. etags.Select((etag, i) => new PartETag(i + 1, etag))],
            IfMatch = condition.ETag,
            IfNoneMatch = condition.IsNew ? "*" : null,
        };
        try
        {
            return await OrNullAsync(() => client.CompleteMultipartUploadAsync(request), default) is not null;
        }
        catch (FileStoreException exception) when (exception.InnerException is AmazonS3Exception { ErrorCode: "InvalidPart" or "InvalidPartOrder" or "BadRequest" })
        {
            // The last is what a server says that gives no reason.
            throw new FileStoreException("superseded", "another connection goes on with this upload", exception.Message, exception);
        }
    }

    public Task AbortMultipartAsync(string key, string uploadId) =>
        OrNullAsync(() => client.AbortMultipartUploadAsync(new AbortMultipartUploadRequest { BucketName = bucket, Key = Prefix + key, UploadId = uploadId }), default);

    /// <summary>The multipart uploads under the prefix that are neither completed nor aborted.</summary>
    public async IAsyncEnumerable<MultipartUpload> ListMultipartAsync([System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var request = new ListMultipartUploadsRequest { BucketName = bucket, Prefix = Prefix };
        while (true)
        {
            var page = await CallAsync(() => client.ListMultipartUploadsAsync(request, cancellationToken), cancellationToken);
            foreach (var upload in page.MultipartUploads ?? [])
            {
                upload.Key = upload.Key[Prefix.Length..];
                yield return upload;
            }

            if (page.IsTruncated != true || page.MultipartUploads is not { Count: > 0 }) yield break;
            (request.KeyMarker, request.UploadIdMarker) = (page.NextKeyMarker, page.NextUploadIdMarker);
        }
    }

    public void Dispose() => client.Dispose();

    /// <summary>A failure of the SDK, or of a stream that it gave, as the store tells it.</summary>
    public Exception Failure(Exception exception, CancellationToken cancellationToken)
    {
        var failure = exception switch
        {
            FileStoreException => exception,
            OperationCanceledException when cancellationToken.IsCancellationRequested => exception,
            OperationCanceledException or TimeoutException => FileStoreException.Unavailable($"{Place}: no answer within {Timeout.TotalSeconds:0} s", exception),
            AmazonServiceException { StatusCode: >= HttpStatusCode.MultipleChoices } service => Failure(service),
            AmazonClientException when exception.Message.StartsWith("Failed to resolve AWS credentials", StringComparison.Ordinal) =>
                FileStoreException.Unavailable($"{Place}: no credentials were found. Write Perch:Files:AccessKey and SecretKey, or what the SDK looks for: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, a role", exception),
            _ => FileStoreException.Unavailable($"{Place}: {PeerText.Escape((exception.InnerException ?? exception).Message, MaxDetailChars)}", exception),
        };
        if (failure is FileStoreException { IsStoreFault: true }) IsSuspect = true;
        return failure;
    }

    private FileStoreException Failure(AmazonServiceException exception)
    {
        var detail = $"{Place}: {(int)exception.StatusCode} {PeerText.Escape(exception.ErrorCode ?? "", 100)}: {PeerText.Escape(exception.Message, MaxDetailChars)}";
        return (exception.ErrorCode, exception.StatusCode) switch
        {
            ("NoSuchBucket", _) => FileStoreException.Unavailable($"{detail} Make the bucket, or correct Perch:Files:Bucket", exception),
            ("NoSuchUpload", _) => new("superseded", "the upload is gone, send it again from 0", detail, exception),
            ("EntityTooLarge", _) => new("quota", "the file is larger than the store takes", detail, exception),
            ("QuotaExceeded" or "XMinioStorageFull", _) or (_, HttpStatusCode.InsufficientStorage) => FileStoreException.Full(detail, exception),
            (_, HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized) => FileStoreException.Unavailable($"{detail} Look at the credentials, what they allow, Perch:Files:Region and the clock", exception),
            (_, HttpStatusCode.MovedPermanently or HttpStatusCode.TemporaryRedirect) => FileStoreException.Unavailable($"{detail} Correct Perch:Files:Region", exception),
            _ => FileStoreException.Unavailable(detail, exception),
        };
    }

    private async Task<T?> OrNullAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await call();
        }
        catch (AmazonS3Exception exception) when (exception is
        { StatusCode: HttpStatusCode.NotFound or HttpStatusCode.PreconditionFailed or HttpStatusCode.RequestedRangeNotSatisfiable, ErrorCode: not "NoSuchBucket" })
        {
            // Nothing, or another than was asked for.
            return null;
        }
        catch (Exception exception)
        {
            throw Failure(exception, cancellationToken);
        }
    }

    private async Task<T> CallAsync<T>(Func<Task<T>> call, CancellationToken cancellationToken)
    {
        try
        {
            return await call();
        }
        catch (Exception exception)
        {
            throw Failure(exception, cancellationToken);
        }
    }
}
