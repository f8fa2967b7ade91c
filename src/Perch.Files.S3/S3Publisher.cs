using Amazon.S3.Model;
using Microsoft.Extensions.Logging;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>Gives names to whole uploads, and takes away files and unfinished uploads with all that belongs to them.</summary>
internal sealed partial class S3Publisher(S3Bucket bucket, S3Files files, S3Checkpoints checkpoints, S3ConditionProbe conditions, S3Totals totals, ILogger logger)
{
    private readonly S3NameLocks _names = new();

    /// <summary>Gives a whole upload its name.</summary>
    /// <param name="request">Its name, and whether it may replace a file.</param>
    /// <param name="id">Of the upload.</param>
    /// <param name="parts">Its bytes; finished where it has parts.</param>
    /// <param name="about">What is known of it.</param>
    /// <exception cref="FileStoreException">
    /// <c>superseded</c>: it is gone, or has parts of another. <c>exists</c>, <c>precondition</c>, <c>unsupported</c>, <c>unavailable</c>, <c>full</c>.
    /// </exception>
    public async Task PublishAsync(FileUploadRequest request, string id, S3Parts parts, S3About about)
    {
        // What is replaced is counted, and what was known of it deleted, once.
        using var turn = await _names.EnterAsync(request.Name, CancellationToken.None);
        for (var tries = 0; tries < S3Files.Tries; tries++)
        {
            var old = await bucket.HeadAsync(files.KeyOf(request.Name), CancellationToken.None);
            if (request.OnlyNew && old is not null) throw FileStoreException.Exists();
            var condition = await ConditionAsync(request, old, parts.UploadId is not null);
            var isPublished = parts.UploadId is null
                ? await TryPutAsync(request.Name, parts, about, condition)
                : await TryCompleteAsync(request.Name, id, parts, about, condition);
            if (!isPublished && request.Condition is null) throw FileStoreException.Exists();
            // Another process changed the file meanwhile: the new one may meet the condition too.
            if (!isPublished) continue;
            totals.Published(old?.ContentLength);
            if (old is not null && S3Files.AboutId(old.Metadata) is { } oldId && oldId != id) await TryDeleteAsync(S3Files.Meta + oldId);
            return;
        }

        throw FileStoreException.Precondition();
    }

    /// <summary>Checks the condition of an upload against the file that has the name now.</summary>
    /// <exception cref="FileStoreException"><c>precondition</c>, <c>unsupported</c>, <c>unavailable</c>.</exception>
    public async Task CheckAsync(FileUploadRequest request, bool isMultipart) =>
        await ConditionAsync(request, await bucket.HeadAsync(files.KeyOf(request.Name), CancellationToken.None), isMultipart);

    /// <summary>Whether the file of this name is that of the upload with this id.</summary>
    public async Task<bool> IsPublishedAsync(FileName name, string id) => await bucket.HeadAsync(files.KeyOf(name), CancellationToken.None) is { } head && S3Files.AboutId(head.Metadata) == id;

    /// <returns>Whether there was a file.</returns>
    /// <exception cref="FileStoreException"><c>precondition</c>, <c>unsupported</c>, <c>unavailable</c>.</exception>
    public async Task<bool> DeleteAsync(FileName name, FileCondition? condition, CancellationToken cancellationToken)
    {
        using var turn = await _names.EnterAsync(name, cancellationToken);
        for (var tries = 0; tries < S3Files.Tries; tries++)
        {
            if (await bucket.HeadAsync(files.KeyOf(name), cancellationToken) is not { } head) return false;
            if (await files.ResolveAsync(name, head.Metadata, head.ContentLength, cancellationToken) is not { } file)
            {
                if (S3Files.AboutId(head.Metadata) is null) return false;
                // What is known of it is gone with it: a newer one has the name.
                continue;
            }

            if (!await TryDeleteAsync(name, file, head.ETag, condition)) continue;
            if (S3Files.AboutId(head.Metadata) is { } id) await TryDeleteAsync(S3Files.Meta + id);
            totals.Deleted(file.Length);
            return true;
        }

        return condition is null ? false : throw FileStoreException.Precondition();
    }

    /// <summary>Deletes an unfinished upload that nobody writes here.</summary>
    public async Task DropAsync(FileName name, S3Checkpoint checkpoint)
    {
        if (checkpoint.UploadId is { } uploadId)
        {
            await bucket.AbortMultipartAsync(files.KeyOf(name), uploadId);
            if (!await IsPublishedAsync(name, checkpoint.Id)) await bucket.DeleteAsync(S3Files.Meta + checkpoint.Id);
        }

        await bucket.DeleteAsync(S3Files.CheckpointOf(name));
        totals.Dropped(checkpoint.Length);
    }

    /// <summary>Deletes what is of no use; where that fails, the age or nobody takes it away.</summary>
    public async Task TryDeleteAsync(string key)
    {
        try
        {
            await bucket.DeleteAsync(key);
        }
        catch (FileStoreException failure)
        {
            Left(failure);
        }
    }

    /// <summary>Something could not be saved or cleaned up.</summary>
    public void Left(FileStoreException failure) => Log.Left(logger, failure.Message);

    /// <summary>The condition of the request as one that the server can keep: the object that has been checked, or none, is still there.</summary>
    private async Task<S3Condition> ConditionAsync(FileUploadRequest request, GetObjectMetadataResponse? old, bool isMultipart)
    {
        // Another process may come between, which only the server can tell.
        if (request.Condition is not { } wanted) return request.OnlyNew && checkpoints.CanBeNew ? S3Condition.New : default;
        var file = old is null ? null : await files.ResolveAsync(request.Name, old.Metadata, old.ContentLength, CancellationToken.None);
        if (!wanted.IsMet(file)) throw FileStoreException.Precondition();
        var condition = old is null ? S3Condition.New : S3Condition.Still(old.ETag);
        await conditions.EnsurePublishesAsync(condition, isMultipart);
        return condition;
    }

    /// <returns>False if another process changed the file after it was checked.</returns>
    private async Task<bool> TryDeleteAsync(FileName name, StoredFile file, string etag, FileCondition? condition)
    {
        if (condition is null)
        {
            await bucket.DeleteAsync(files.KeyOf(name));
            return true;
        }

        if (!condition.IsMet(file)) throw FileStoreException.Precondition();
        await conditions.EnsureDeletesAsync();
        return await bucket.TryDeleteAsync(files.KeyOf(name), etag);
    }

    /// <returns>False if the condition did not hold.</returns>
    private async Task<bool> TryPutAsync(FileName name, S3Parts parts, S3About about, S3Condition condition)
    {
        if (await bucket.PutAsync(files.KeyOf(name), parts.ReadTail(), S3Files.Headers(about), condition) is not null) return true;
        // The first try may have been made, and its answer lost.
        return await files.FindAsync(name, CancellationToken.None) is { } file && file == about.ToFile(name);
    }

    /// <returns>False if the condition did not hold.</returns>
    private async Task<bool> TryCompleteAsync(FileName name, string id, S3Parts parts, S3About about, S3Condition condition)
    {
        await files.PutAboutAsync(id, about);
        try
        {
            if (await bucket.CompleteMultipartAsync(files.KeyOf(name), parts.UploadId!, parts.ETags, condition)) return true;
        }
        catch (FileStoreException failure) when (failure.Code == "unavailable")
        {
            // It may have been done, and the answer lost.
            if (!await IsPublishedAsync(name, id)) throw;
            return true;
        }

        if (await IsPublishedAsync(name, id)) return true;
        if (condition.IsSet && (await bucket.HeadAsync(files.KeyOf(name), CancellationToken.None))?.ETag != condition.ETag) return false;
        throw new FileStoreException("superseded", "the upload is gone, send it again from 0");
    }

    private static partial class Log
    {
        [LoggerMessage(4602, LogLevel.Warning, "An unfinished upload could not be saved or cleaned up: {Problem}", EventName = "S3UploadLeft")]
        public static partial void Left(ILogger logger, string problem);
    }
}
