using System.Net;
using Amazon.S3;

namespace Perch.Files.S3;

/// <summary>
/// Finds out which conditional requests the server keeps: some servers refuse the headers, and some take them and do not look at them. Each
/// question is asked when a condition first needs the answer, with an object of the store's own.
/// </summary>
internal sealed class S3ConditionProbe(S3Bucket bucket, S3Checkpoints checkpoints)
{
    /// <summary>The ETag of no object.</summary>
    private static readonly S3Condition Other = S3Condition.Still(S3Checkpoints.NoETag);

    private bool? _completesNew;
    private bool? _completesMatch;
    private bool? _deletesMatch;

    /// <summary>Refuses a publication whose condition the server does not keep.</summary>
    /// <param name="condition">The condition of the request.</param>
    /// <param name="isMultipart">Whether the request completes a multipart upload; else it is one PUT.</param>
    /// <exception cref="FileStoreException"><c>unsupported</c>, <c>unavailable</c>.</exception>
    public async Task EnsurePublishesAsync(S3Condition condition, bool isMultipart)
    {
        var isKept = condition.IsNew ? checkpoints.CanBeNew : checkpoints.CanMatch;
        if (isKept && isMultipart)
        {
            if (_completesNew is null)
                await AskAsync(ProbeCompleteAsync);
            isKept = (condition.IsNew ? _completesNew : _completesMatch) == true;
        }

        if (!isKept)
            throw FileStoreException.Unsupported(condition.IsNew ? "that the name is free" : "which file has the name");
    }

    /// <summary>Refuses a conditional deletion if the server does not keep the condition.</summary>
    /// <exception cref="FileStoreException"><c>unsupported</c>, <c>unavailable</c>.</exception>
    public async Task EnsureDeletesAsync()
    {
        if (_deletesMatch is null)
            await AskAsync(ProbeDeleteAsync);
        if (_deletesMatch != true)
            throw FileStoreException.Unsupported("which file has the name");
    }

    /// <summary>Two that ask at the same time ask with two objects.</summary>
    private async Task AskAsync(Func<string, Task> probe)
    {
        var key = $"{S3Files.Probe}.{S3FileStore.NewId()}";
        await bucket.PutAsync(key, new MemoryStream());
        try
        {
            await probe(key);
        }
        finally
        {
            await bucket.DeleteAsync(key);
        }
    }

    private async Task ProbeCompleteAsync(string key)
    {
        var refusesNew = await RefusesCompleteAsync(key, S3Condition.New);
        (_completesMatch, _completesNew) = (await RefusesCompleteAsync(key, Other), refusesNew);
    }

    private async Task<bool> RefusesCompleteAsync(string key, S3Condition condition)
    {
        var upload = await bucket.BeginMultipartAsync(key, []);
        try
        {
            var etag = await bucket.PutPartAsync(key, upload, 1, new MemoryStream([1]));
            return await KeepsAsync(async () => !await bucket.CompleteMultipartAsync(key, upload, [etag], condition));
        }
        finally
        {
            await bucket.AbortMultipartAsync(key, upload);
        }
    }

    private async Task ProbeDeleteAsync(string key) =>
        _deletesMatch = await KeepsAsync(
            async () => !await bucket.TryDeleteAsync(key, S3Checkpoints.NoETag) && await bucket.HeadAsync(key, default) is not null);

    /// <summary>A server that refuses the header does not keep the condition.</summary>
    private static async Task<bool> KeepsAsync(Func<Task<bool>> ask)
    {
        try
        {
            return await ask();
        }
        catch (FileStoreException exception) when (exception.InnerException is AmazonS3Exception
        { StatusCode: HttpStatusCode.NotImplemented or HttpStatusCode.BadRequest })
        {
            return false;
        }
    }
}
