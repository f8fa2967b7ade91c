using Microsoft.Extensions.Logging;
using Perch.Wire.Files;

namespace Perch.Protocols.Files.S3;

/// <summary>Gives names to whole uploads, and takes away files and unfinished uploads with all that belongs to them.</summary>
internal sealed partial class S3Publisher(S3Bucket bucket, S3Files files, S3Checkpoints checkpoints, S3Totals totals, ILogger logger)
{
    private readonly S3NameLocks _names = new();

    /// <summary>Gives a whole upload its name.</summary>
    /// <param name="request">Its name, and whether it may replace a file.</param>
    /// <param name="id">Of the upload.</param>
    /// <param name="parts">Its bytes; finished where it has parts.</param>
    /// <param name="about">What is known of it.</param>
    /// <exception cref="FileStoreException"><c>superseded</c>: it is gone, or has parts of another. <c>exists</c>, <c>unavailable</c>, <c>full</c>.</exception>
    public async Task PublishAsync(FileUploadRequest request, string id, S3Parts parts, S3About about)
    {
        // What is replaced is counted, and what was known of it deleted, once.
        using var turn = await _names.EnterAsync(request.Name, CancellationToken.None);
        var key = files.KeyOf(request.Name);
        var old = await bucket.HeadAsync(key, CancellationToken.None);
        if (request.OnlyNew && old is not null) throw FileStoreException.Exists();
        // Another process may come between, which only the server can tell.
        var condition = request.OnlyNew && checkpoints.CanBeNew ? S3Condition.New : default;
        if (parts.UploadId is null) await PutAsync(request.Name, parts, about, condition);
        else await CompleteAsync(request.Name, id, parts, about, condition);
        totals.Published(old?.ContentLength);
        if (old is not null && S3Files.AboutId(old.Metadata) is { } oldId && oldId != id) await TryDeleteAsync(S3Files.Meta + oldId);
    }

    /// <summary>Whether the file of this name is that of the upload with this id.</summary>
    public async Task<bool> IsPublishedAsync(FileName name, string id) => await bucket.HeadAsync(files.KeyOf(name), CancellationToken.None) is { } head && S3Files.AboutId(head.Metadata) == id;

    /// <returns>Whether there was a file.</returns>
    public async Task<bool> DeleteAsync(FileName name, CancellationToken cancellationToken)
    {
        using var turn = await _names.EnterAsync(name, cancellationToken);
        if (await files.FindAsync(name, cancellationToken) is not { } file) return false;
        var head = await bucket.HeadAsync(files.KeyOf(name), cancellationToken);
        await bucket.DeleteAsync(files.KeyOf(name));
        if (head is not null && S3Files.AboutId(head.Metadata) is { } id) await TryDeleteAsync(S3Files.Meta + id);
        totals.Deleted(file.Length);
        return true;
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

    private async Task PutAsync(FileName name, S3Parts parts, S3About about, S3Condition condition)
    {
        if (await bucket.PutAsync(files.KeyOf(name), parts.ReadTail(), S3Files.Headers(about), condition) is not null) return;
        // The first try may have been made, and its answer lost.
        if (await files.FindAsync(name, CancellationToken.None) is not { } file || file != about.ToFile(name)) throw FileStoreException.Exists();
    }

    private async Task CompleteAsync(FileName name, string id, S3Parts parts, S3About about, S3Condition condition)
    {
        await files.PutAboutAsync(id, about);
        try
        {
            if (await bucket.CompleteMultipartAsync(files.KeyOf(name), parts.UploadId!, parts.ETags, condition)) return;
        }
        catch (FileStoreException failure) when (failure.Code == "unavailable")
        {
            // It may have been done, and the answer lost.
            if (!await IsPublishedAsync(name, id)) throw;
            return;
        }

        if (await IsPublishedAsync(name, id)) return;
        if (condition.IsNew && await bucket.HeadAsync(files.KeyOf(name), CancellationToken.None) is not null) throw FileStoreException.Exists();
        throw new FileStoreException("superseded", "the upload is gone, send it again from 0");
    }

    private static partial class Log
    {
        [LoggerMessage(4602, LogLevel.Warning, "What is left of an upload could not be saved or cleaned up: {Problem}", EventName = "S3UploadLeft")]
        public static partial void Left(ILogger logger, string problem);
    }
}
