using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>
/// How far an unfinished upload is durable, and all that another process needs to go on with it: one small object, a line of JSON and
/// behind it the bytes that are not a whole part yet.
/// </summary>
/// <param name="Name">The file's name.</param>
/// <param name="Id">Of the upload; 32 digits.</param>
/// <param name="UploadId">The server's name for its parts; null while there is none.</param>
/// <param name="PartBytes">Bytes of each part.</param>
/// <param name="Parts">How many parts are there, from the first on without a gap.</param>
/// <param name="State">The hash behind these parts (<see cref="ResumableSha256.State"/>).</param>
/// <param name="Chain">Which parts these are: a hash over their ETags. Other bytes under the number of a part give another.</param>
/// <param name="Tail">Bytes behind the parts.</param>
/// <param name="Writer">Who writes it; null where it was left.</param>
internal sealed record S3Checkpoint(string Name, string Id, string? UploadId, int PartBytes, int Parts, string State, string Chain, int Tail, string? Writer)
{
    /// <summary>Most bytes of the line.</summary>
    public const int MaxLineBytes = 16 * 1024;

    /// <summary>The chain of no parts.</summary>
    public static readonly string NoParts = new('0', SHA256.HashSizeInBytes * 2);

    /// <summary>How much of the file is durable.</summary>
    [JsonIgnore]
    public long Length => ((long)Parts * PartBytes) + Tail;

    /// <summary>The chain with one part more. Servers quote an ETag or do not, where they say it first or again.</summary>
    public static string Next(string chain, string etag) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(chain + etag.Trim('"'))));

    public byte[] ToLine() => [.. JsonSerializer.SerializeToUtf8Bytes(this, S3Json.Compact.S3Checkpoint), (byte)'\n'];

    /// <returns>Null where it is not one.</returns>
    public static S3Checkpoint? Parse(ReadOnlySpan<byte> line)
    {
        try
        {
            return JsonSerializer.Deserialize(line, S3Json.Default.S3Checkpoint) is
            { Name: not null, Id.Length: 32, PartBytes: > 0, Parts: >= 0, State.Length: 2 * ResumableSha256.StateBytes, Chain: not null, Tail: >= 0 } read
                && read.Tail <= read.PartBytes && read.PartBytes % ResumableSha256.BlockBytes == 0 && (read.Parts == 0 || read.UploadId is not null) && read.State.All(char.IsAsciiHexDigit) ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>What is known of a file that came in parts, beside its bytes: one small object.</summary>
/// <param name="Length">Its bytes.</param>
/// <param name="Sha256">Its hash.</param>
/// <param name="Modified">When it was published.</param>
/// <param name="Endpoint">The endpoint that took it.</param>
/// <param name="Remote">The uploader.</param>
internal sealed record S3About(long Length, string Sha256, DateTimeOffset Modified, string Endpoint, string Remote)
{
    /// <summary>The file that this is known of.</summary>
    public StoredFile ToFile(FileName name) => new(name, Length, Sha256, Modified, Endpoint, Remote);
}

/// <summary>Reads and writes both without reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(S3Checkpoint))]
[JsonSerializable(typeof(S3About))]
internal sealed partial class S3Json : JsonSerializerContext
{
    /// <summary>Leaves names as they are: one of 1,024 bytes stays so long.</summary>
    public static S3Json Compact { get; } = new(new(JsonSerializerDefaults.Web) { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
}
