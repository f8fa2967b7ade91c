using System.Globalization;
using System.Text.Json;
using Amazon.S3.Model;
using Perch.Files.Disk;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>The whole files of a bucket, and what is known of them.</summary>
/// <remarks>
/// S3 takes an object's metadata when an upload begins, and the hash is known when it ends. So a file in one piece has its metadata
/// with it, and one in parts has an id there, which names a small object that was put right before the file became visible. Both
/// change together with the file, in one step of the server's.
/// </remarks>
internal sealed class S3Files(S3Bucket bucket)
{
    /// <summary>The store's own folder: no name of a peer begins with a dot.</summary>
    public const string Own = ".perch/";

    public const string Uploads = Own + "uploads/";
    public const string Meta = Own + "meta/";
    public const string Probe = Own + "probe";

    private const string AboutHeader = "x-amz-meta-perch-about", Sha256Header = "x-amz-meta-perch-sha256", ModifiedHeader = "x-amz-meta-perch-modified",
        EndpointHeader = "x-amz-meta-perch-endpoint", RemoteHeader = "x-amz-meta-perch-remote";

    private const int MaxAboutBytes = 16 * 1024;
    /// <summary>A file that is replaced while it is looked at is looked at again.</summary>
    public const int Tries = 5;

    /// <summary>The key of a name. Names are as long as keys, so with a prefix some are too long.</summary>
    /// <exception cref="FileStoreException"><c>name</c>.</exception>
    public string KeyOf(FileName name)
    {
        var most = S3Bucket.MaxKeyBytes - System.Text.Encoding.UTF8.GetByteCount(bucket.Prefix);
        return System.Text.Encoding.UTF8.GetByteCount(name.Value) <= most ? name.Value : throw new FileStoreException("name", $"a name has at most {most} bytes in this store");
    }

    /// <summary>The key of what an unfinished upload of this name has.</summary>
    public static string CheckpointOf(FileName name) => Uploads + DiskMetadata.KeyOf(name);

    /// <summary>What a file in one piece has with it.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Headers(S3About about) =>
    [
        new(Sha256Header, about.Sha256),
        new(ModifiedHeader, about.Modified.UtcDateTime.ToString("O", CultureInfo.InvariantCulture)),
        new(EndpointHeader, Uri.EscapeDataString(about.Endpoint)),
        new(RemoteHeader, Uri.EscapeDataString(about.Remote)),
    ];

    /// <summary>What a file in parts has with it.</summary>
    public static IEnumerable<KeyValuePair<string, string>> Headers(string id) => [new(AboutHeader, id)];

    /// <summary>The id of a file in parts; null of one in one piece, and of what is not the store's.</summary>
    public static string? AboutId(MetadataCollection metadata) => metadata[AboutHeader] is { Length: 32 } id && id.All(char.IsAsciiHexDigitLower) ? id : null;

    public Task PutAboutAsync(string id, S3About about) => bucket.PutAsync(Meta + id, new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(about, S3Json.Default.S3About)));

    /// <summary>The file of this name; null where there is none.</summary>
    /// <exception cref="FileStoreException"><c>corrupt</c>, <c>unavailable</c>.</exception>
    public async Task<StoredFile?> FindAsync(FileName name, CancellationToken cancellationToken)
    {
        for (var i = 0; i < Tries; i++)
        {
            if (await bucket.HeadAsync(KeyOf(name), cancellationToken) is not { } head) return null;
            if (await ResolveAsync(name, head.Metadata, head.ContentLength, cancellationToken) is { } file) return file;
            if (AboutId(head.Metadata) is null) return null;
            // What is known of it is gone with it: a newer one has the name.
        }

        return null;
    }

    /// <summary>The file whose answer this is; null where it is not the store's, or was replaced meanwhile.</summary>
    /// <exception cref="FileStoreException"><c>corrupt</c>: it has another length than when it was stored.</exception>
    public async Task<StoredFile?> ResolveAsync(FileName name, MetadataCollection metadata, long length, CancellationToken cancellationToken)
    {
        if (await AboutAsync(metadata, length, cancellationToken) is not { } about) return null;
        if (about.Length != length) throw new FileStoreException("corrupt", "the file is damaged", $"{PeerText.Escape(name.Value)} has another length than when it was stored. Upload it again.");
        return about.ToFile(name);
    }

    private async Task<S3About?> AboutAsync(MetadataCollection metadata, long length, CancellationToken cancellationToken)
    {
        if (AboutId(metadata) is { } id) return await GetAboutAsync(id, cancellationToken);
        return metadata[Sha256Header] is { Length: 64 } sha256
            && DateTimeOffset.TryParse(metadata[ModifiedHeader], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var modified)
            ? new(length, sha256, modified, Uri.UnescapeDataString(metadata[EndpointHeader] ?? ""), Uri.UnescapeDataString(metadata[RemoteHeader] ?? ""))
            : null;
    }

    private async Task<S3About?> GetAboutAsync(string id, CancellationToken cancellationToken)
    {
        using var response = await bucket.GetAsync(Meta + id, 0, long.MaxValue, null, cancellationToken);
        if (response is not { ContentLength: <= MaxAboutBytes }) return null;
        try
        {
            return await JsonSerializer.DeserializeAsync(response.ResponseStream, S3Json.Default.S3About, cancellationToken) is { Sha256.Length: 64, Endpoint: not null, Remote: not null } about ? about : null;
        }
        catch (JsonException)
        {
            return null;
        }
        catch (Exception exception) when (exception is not FileStoreException)
        {
            throw bucket.Failure(exception, cancellationToken);
        }
    }
}
