using System.Buffers;
using Amazon.S3.Model;
using Microsoft.Extensions.Logging;

namespace Perch.Files.S3;

/// <summary>
/// The checkpoints of a bucket. A name has one, that of the upload that began last; who writes it makes sure that it is still the
/// one that this process put there, so of two processes that go on with an upload the earlier one finds out.
/// </summary>
internal sealed partial class S3Checkpoints(S3Bucket bucket, ILogger logger)
{
    /// <summary>No object's ETag.</summary>
    public const string NoETag = "\"00000000000000000000000000000000\"";

    private volatile bool _canBeNew;
    private volatile bool _canMatch;

    /// <summary>Whether the server keeps <see cref="S3Condition.New"/>.</summary>
    public bool CanBeNew => _canBeNew;

    /// <summary>Whether the server keeps <see cref="S3Condition.Still"/>.</summary>
    public bool CanMatch => _canMatch;

    /// <summary>Tries which conditions the server keeps: some refuse them, some take them and do not look.</summary>
    /// <param name="key">Of an object that is there.</param>
    public async Task TryConditionsAsync(string key)
    {
        _canBeNew = await KeepsAsync(key, S3Condition.New);
        _canMatch = await KeepsAsync(key, S3Condition.Still(NoETag));
        if (!_canBeNew || !_canMatch) Log.NoConditions(logger, bucket.Place);
    }

    /// <summary>The checkpoint under this key; null where there is none.</summary>
    public async Task<Saved?> FindAsync(string key, CancellationToken cancellationToken)
    {
        using var response = await bucket.GetAsync(key, 0, S3Checkpoint.MaxLineBytes - 1, null, cancellationToken);
        return response is null ? null : await ReadLineAsync(response, cancellationToken);
    }

    /// <summary>The checkpoint, and its tail from the stream that is given to <paramref name="read"/>.</summary>
    /// <returns>Null where there is none.</returns>
    public async Task<Saved?> LoadAsync(string key, Func<Saved, Stream, Task> read, CancellationToken cancellationToken)
    {
        using var response = await bucket.GetAsync(key, 0, long.MaxValue, null, cancellationToken);
        if (response is null || await ReadLineAsync(response, cancellationToken) is not { } saved) return null;
        try
        {
            await read(saved, response.ResponseStream);
            return saved;
        }
        catch (Exception exception)
        {
            throw bucket.Failure(exception, cancellationToken);
        }
    }

    /// <summary>Puts a checkpoint in the place of the one that this process put there, or found there.</summary>
    /// <param name="key">Where.</param>
    /// <param name="checkpoint">What is durable.</param>
    /// <param name="body">The same as bytes, with its tail.</param>
    /// <param name="before">What is there; null where nothing is.</param>
    /// <returns>Null where it is another, or is gone.</returns>
    public async Task<Saved?> SaveAsync(string key, S3Checkpoint checkpoint, Stream body, Saved? before)
    {
        if (before is null ? _canBeNew : _canMatch)
        {
            var etag = await bucket.PutAsync(key, body, condition: before is null ? S3Condition.New : S3Condition.Still(before.ETag));
            if (etag is not null) return new(checkpoint, etag);
            // The first try may have been made, and its answer lost.
            return await FindAsync(key, CancellationToken.None) is { } there && there.Checkpoint == checkpoint ? there : null;
        }

        var found = await FindAsync(key, CancellationToken.None);
        return found?.Checkpoint == before?.Checkpoint ? new(checkpoint, (await bucket.PutAsync(key, body))!) : null;
    }

    private async Task<bool> KeepsAsync(string key, S3Condition condition)
    {
        try
        {
            return await bucket.PutAsync(key, new MemoryStream(), condition: condition) is null;
        }
        catch (Exception exception) when (exception is NotSupportedException or FileStoreException)
        {
            // Whatever it says, it is asked each time then.
            return false;
        }
    }

    private async Task<Saved?> ReadLineAsync(GetObjectResponse response, CancellationToken cancellationToken)
    {
        var line = ArrayPool<byte>.Shared.Rent(S3Checkpoint.MaxLineBytes);
        try
        {
            for (var length = 0; length < S3Checkpoint.MaxLineBytes; length++)
            {
                // Byte by byte: what follows is the tail's. It is one small line.
                if (await response.ResponseStream.ReadAsync(line.AsMemory(length, 1), cancellationToken) == 0) return null;
                if (line[length] == (byte)'\n') return S3Checkpoint.Parse(line.AsSpan(0, length)) is { } checkpoint ? new(checkpoint, response.ETag) : null;
            }

            return null;
        }
        catch (Exception exception)
        {
            throw bucket.Failure(exception, cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(line);
        }
    }

    /// <summary>A checkpoint that is in the bucket.</summary>
    internal sealed record Saved(S3Checkpoint Checkpoint, string ETag);

    private static partial class Log
    {
        [LoggerMessage(4601, LogLevel.Information, "{Place} does not keep every condition of a PUT (If-None-Match, If-Match): of two processes that go on with one upload at the same moment, the one that loses may find out only at the end", EventName = "S3ConditionsMissing")]
        public static partial void NoConditions(ILogger logger, string place);
    }
}
