using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon.S3;
using Microsoft.Extensions.Logging;
using Perch.Files.Disk;
using Perch.Stores;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>Files in a bucket that several processes may share. A stored file is an object under its own name, to the byte what was uploaded.</summary>
/// <remarks>
/// <code>
/// photos/cat.jpg            a file, under its name
/// .perch/meta/9a1b...       what is known of a file that came in parts (JSON), under the id that stands in the file's metadata
/// .perch/uploads/3f0c...    how far the unfinished upload of a name is durable, under the SHA-256 of the name (S3Checkpoint)
/// .perch/probe              empty; tells whether the bucket can be written
/// </code>
/// A file of no more than one part is one PUT. A longer one is a multipart upload: parts go out as they fill, several at a time, and
/// after each a checkpoint says what is there, with the state of the hash behind it, so that any process can go on from there. At the
/// end the hash is compared, the metadata put, and the upload completed: with this one request the file is visible.
/// <para>
/// Never cleaned up: objects that others put under the prefix, and the metadata of a file whose name two processes published at the
/// same moment (a few hundred bytes).
/// </para>
/// </remarks>
internal sealed partial class S3FileStore : IFileStore
{
    private const int ThreadCount = 8;
    private const long MaxFileBytes = 5L * 1024 * 1024 * 1024 * 1024;
    private const int Mebibyte = 1024 * 1024;

    private readonly TimeProvider _time;
    private readonly ILogger<S3FileStore> _logger;
    private readonly S3Uploads _live = new();
    private readonly S3NameLocks _beginning = new();
    private readonly S3Trimmer _trimmer;
    private bool _isOpen;

    /// <param name="client">Owned.</param>
    /// <param name="options">The limits, the bucket and the prefix.</param>
    /// <param name="spoolPath">Absolute. Made where it is not there.</param>
    /// <param name="time">The clock.</param>
    /// <param name="logger">For what was found at the start.</param>
    public S3FileStore(IAmazonS3 client, S3Options options, string spoolPath, TimeProvider time, ILogger<S3FileStore> logger)
    {
        (Options, SpoolPath, _time, _logger) = (options, spoolPath, time, logger);
        Bucket = new(client, options.Bucket, options.Prefix, options.Timeout);
        (Files, Checkpoints, Totals) = (new(Bucket), new(Bucket, logger), new(options, time));
        Publisher = new(Bucket, Files, Checkpoints, new(Bucket, Checkpoints), Totals, logger);
        _trimmer = new(this, _live, time, RetentionClock.OfThisMachine(time, logger));
    }

    public S3Options Options { get; }

    public string SpoolPath { get; }

    public S3Bucket Bucket { get; }

    public S3Files Files { get; }

    public S3Checkpoints Checkpoints { get; }

    public S3Totals Totals { get; }

    public S3Publisher Publisher { get; }

    /// <remarks>For its spool, on a disk of this machine; what waits for the bucket has a limit of its own.</remarks>
    public DiskThreads Threads { get; } = new(ThreadCount, TimeSpan.Zero, TimeProvider.System);

    FileTotals IFileStore.Totals => Totals.Value;

    FileLimits IFileStore.Limits => Totals.Limits;

    public static string NewId() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));

    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        if (_isOpen) return;
        await ProbeAsync(cancellationToken);
        await Checkpoints.TryConditionsAsync(S3Files.Probe);
        // Limits are kept from the first upload on; without them the count comes in its own time.
        if (Totals.IsLimited) await _trimmer.CountAsync(cancellationToken);
        if (!_isOpen) Log.Opened(_logger, Options.Bucket, Options.Prefix, Options.ServiceUrl.Length > 0 ? Options.ServiceUrl : "Amazon S3");
        _isOpen = true;
    }

    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        await Threads.RunAsync(MakeSpool);
        await Bucket.ProbeAsync(S3Files.Probe, cancellationToken);
    }

    public async Task<IFileUpload> BeginAsync(FileUploadRequest request, CancellationToken cancellationToken)
    {
        if (request.Length > MaxFileBytes) throw new FileStoreException("quota", $"a file has at most {MaxFileBytes} bytes in this store");
        var name = Files.KeyOf(request.Name);
        var found = Totals.IsLimited || request.OnlyNew ? await Bucket.HeadAsync(name, cancellationToken) : null;
        if (request.OnlyNew && found is not null) throw FileStoreException.Exists();
        var replaced = Totals.IsLimited ? found?.ContentLength : null;
        var key = S3Files.CheckpointOf(request.Name);
        using var turn = await _beginning.EnterAsync(request.Name, cancellationToken);
        return request.Offset == 0 ? await StartAsync(request, key, replaced) : await ResumeAsync(request, key, replaced);
    }

    public async Task<IFileSnapshot?> OpenReadAsync(FileName name, CancellationToken cancellationToken)
    {
        for (var i = 0; i < S3Files.Tries; i++)
        {
            if (await Bucket.GetAsync(Files.KeyOf(name), 0, long.MaxValue, null, cancellationToken) is not { } response) return null;
            try
            {
                if (await Files.ResolveAsync(name, response.Metadata, response.ContentLength, cancellationToken) is { } file)
                {
                    var snapshot = new S3Snapshot(Bucket, Files.KeyOf(name), response, file);
                    response = null;
                    return snapshot;
                }

                if (S3Files.AboutId(response.Metadata) is null) return null;
            }
            finally
            {
                response?.Dispose();
            }
        }

        return null;
    }

    public async Task<FileStatus> StatAsync(FileName name, CancellationToken cancellationToken)
    {
        var key = S3Files.CheckpointOf(name);
        var file = await Files.FindAsync(name, cancellationToken);
        if (_live.Newest(key) is { } upload) return new(file, await upload.DurableAsync());
        if (await Checkpoints.FindAsync(key, cancellationToken) is not { } found) return new(file, 0);
        // A crash between the file and the end of its checkpoint.
        var isPublished = file is not null && await Publisher.IsPublishedAsync(name, found.Checkpoint.Id);
        return new(file, isPublished ? 0 : found.Checkpoint.Length);
    }

    public Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, string after, int limit, CancellationToken cancellationToken) =>
        new S3Listing(Bucket, Files, prefix, limit).ReadAsync(after, cancellationToken);

    public async Task<bool> DeleteAsync(FileName name, FileCondition? condition, CancellationToken cancellationToken)
    {
        var key = S3Files.CheckpointOf(name);
        var wasFile = await Publisher.DeleteAsync(name, condition, cancellationToken);
        if (_live.Newest(key) is not null || await Checkpoints.FindAsync(key, cancellationToken) is not { } partial)
            return wasFile;
        // An unfinished upload is not a file: the condition sees a free name.
        if (!wasFile && condition?.IsMet(file: null) == false)
            throw FileStoreException.Precondition();
        await Publisher.DropAsync(name, partial.Checkpoint);
        return true;
    }

    public Task<int> TrimAsync(CancellationToken cancellationToken) => _trimmer.TrimAsync(cancellationToken);

    public async IAsyncEnumerable<FileFinding> VerifyAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var finding in new S3Verifier(Bucket, Files, Checkpoints).VerifyAsync(cancellationToken)) yield return finding;
    }

    public ValueTask DisposeAsync()
    {
        Threads.Dispose();
        Bucket.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>The time of what is published now, to the microsecond.</summary>
    internal DateTimeOffset Now()
    {
        var now = _time.GetUtcNow();
        return new(now.Ticks - (now.Ticks % TimeSpan.TicksPerMicrosecond), TimeSpan.Zero);
    }

    internal void Forget(FileName name, S3Upload upload) => _live.Remove(S3Files.CheckpointOf(name), upload);

    private async Task<IFileUpload> StartAsync(FileUploadRequest request, string key, long? replaced)
    {
        var promised = request.Length ?? 0;
        await _trimmer.BeginAsync(key, () => Totals.Begin(request.Length, promised, replaced, isNew: true));
        try
        {
            await CheckConditionAsync(request);
            var older = _live.Newest(key);
            if (older is not null) await older.DetachAsync();
            if (await Checkpoints.FindAsync(key, CancellationToken.None) is { } found)
            {
                // One that a process may still write is left alone, but nobody is to go on with it.
                if (older is null && found.Checkpoint.Writer is null) await Publisher.DropAsync(request.Name, found.Checkpoint);
                else await Bucket.DeleteAsync(key);
            }

            var begin = new S3Checkpoint(request.Name.Value, NewId(), null, PartBytes(request.Length), 0, Convert.ToHexStringLower(new ResumableSha256().State()), S3Checkpoint.NoParts, 0, null);
            var upload = await Threads.RunAsync(() => new S3Upload(this, request, begin, null, promised));
            _live.Add(key, upload);
            return upload;
        }
        catch
        {
            Totals.Dropped(0);
            Totals.Leave(promised);
            throw;
        }
    }

    private async Task<IFileUpload> ResumeAsync(FileUploadRequest request, string key, long? replaced)
    {
        if (request.IsOffsetExact && (await StatAsync(request.Name, CancellationToken.None)).Partial is var durable && durable != request.Offset)
            throw FileStoreException.Offset(durable);
        await CheckConditionAsync(request);
        if (_live.Newest(key) is { } older) await older.HandOverAsync();
        S3Upload? upload = null;
        try
        {
            var saved = await Checkpoints.LoadAsync(key, async (saved, tail) =>
            {
                var have = saved.Checkpoint;
                var parts = (long)have.Parts * have.PartBytes;
                if (have.Name != request.Name.Value || request.Offset > have.Length || request.Offset < (request.IsOffsetExact ? have.Length : parts)) throw FileStoreException.Offset(have.Length);
                if (await ETagsAsync(request.Name, have) is not { } etags)
                {
                    await Publisher.DropAsync(request.Name, have);
                    throw FileStoreException.NothingToResume();
                }

                var promised = request.Length is { } length ? length - request.Offset : 0;
                await _trimmer.BeginAsync(key, () => Totals.Begin(request.Length, promised, replaced, isNew: false));
                Totals.Cut(have.Length - request.Offset);
                try
                {
                    upload = await Threads.RunAsync(() => new S3Upload(this, request, have, saved, promised));
                }
                catch
                {
                    Totals.Leave(promised);
                    throw;
                }

                await upload.ResumeAsync(etags, tail, (int)(request.Offset - parts));
            }, CancellationToken.None);
            if (saved is null) throw FileStoreException.NothingToResume();
            _live.Add(key, upload!);
            return upload!;
        }
        catch
        {
            upload?.Forsake();
            throw;
        }
    }

    private async Task CheckConditionAsync(FileUploadRequest request)
    {
        if (request.Condition is not null)
            await Publisher.CheckAsync(request, isMultipart: request.Length is not { } length || length > PartBytes(length));
    }

    /// <summary>The ETags of the parts that a checkpoint speaks of; null where they are gone, or are others.</summary>
    private async Task<string[]?> ETagsAsync(FileName name, S3Checkpoint checkpoint)
    {
        if (checkpoint.UploadId is not { } uploadId) return [];
        if (await Bucket.ListPartsAsync(Files.KeyOf(name), uploadId, CancellationToken.None) is not { } parts) return null;
        var etags = parts.Where(p => p.PartNumber <= checkpoint.Parts).OrderBy(p => p.PartNumber).Select(p => p.ETag).ToArray();
        return etags.Length == checkpoint.Parts && etags.Aggregate(S3Checkpoint.NoParts, S3Checkpoint.Next) == checkpoint.Chain ? etags : null;
    }

    /// <summary>As configured, or more where the length needs it; whole blocks of the hash.</summary>
    private int PartBytes(long? length)
    {
        var needed = ((length ?? 0) + S3Parts.MaxParts - 1) / S3Parts.MaxParts;
        return (int)Math.Max(Options.PartBytes / ResumableSha256.BlockBytes * ResumableSha256.BlockBytes, (needed + Mebibyte - 1) / Mebibyte * Mebibyte);
    }

    /// <summary>Makes the folder, and finds out whether it can be written.</summary>
    private void MakeSpool()
    {
        try
        {
            DataModes.CreateFolder(SpoolPath);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw S3Spool.Failure(SpoolPath, exception);
        }

        S3Spool.Create(SpoolPath, 1, 1).Dispose();
    }

    private static partial class Log
    {
        [LoggerMessage(4600, LogLevel.Information, "Files are in bucket {Bucket} under '{Prefix}' at {Service}", EventName = "S3FileStoreOpened")]
        public static partial void Opened(ILogger logger, string bucket, string prefix, string service);
    }
}
