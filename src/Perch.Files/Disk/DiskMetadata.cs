using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;
using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>What the store knows of a file beside its bytes: one small JSON file of the folder <c>meta</c> or <c>next</c>.</summary>
/// <param name="Name">The file's name.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Sha256">Its hash.</param>
/// <param name="Modified">When it was published.</param>
/// <param name="Endpoint">The endpoint that took it.</param>
/// <param name="Remote">The uploader.</param>
/// <param name="Inode">Which file of the disk it is; tells after a crash whether the file got its name.</param>
internal sealed record DiskMetadata(string Name, long Length, string Sha256, DateTimeOffset Modified, string Endpoint, string Remote, ulong Inode)
{
    private const int MaxBytes = 16 * 1024;

    /// <summary>What a file's entry in <c>meta</c> is called, and what its uploads begin with: no name of a peer is a name there.</summary>
    public static string KeyOf(FileName name) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name.Value)));

    /// <returns>Null where there is none, or it is damaged.</returns>
    public static DiskMetadata? TryRead(DiskFolder folder, string entry)
    {
        using var file = folder.TryOpenFile(entry, out var status);
        if (file is null || status.Size > MaxBytes) return null;
        var bytes = new byte[status.Size];
        var length = RandomAccess.Read(file, bytes, 0);
        try
        {
            return JsonSerializer.Deserialize(bytes.AsSpan(0, length), DiskMetadataJson.Default.DiskMetadata) is { Name: not null, Sha256.Length: 64 } read ? read : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes it as a new file, durable but for its name.</summary>
    public void Write(DiskFolder folder, string entry)
    {
        using var file = folder.CreateFile(entry);
        RandomAccess.Write(file, JsonSerializer.SerializeToUtf8Bytes(this, DiskMetadataJson.Default.DiskMetadata), 0);
        Sync(file, entry);
    }

    public static void Sync(SafeFileHandle file, string what)
    {
        if (Posix.Sync(file) != 0) throw DiskError.Of(System.Runtime.InteropServices.Marshal.GetLastPInvokeError(), what);
    }

    public StoredFile ToFile(FileName name) => new(name, Length, Sha256, Modified, Endpoint, Remote);
}

/// <summary>Reads and writes <see cref="DiskMetadata"/> without reflection.</summary>
[JsonSourceGenerationOptions(JsonSerializerDefaults.Web)]
[JsonSerializable(typeof(DiskMetadata))]
internal sealed partial class DiskMetadataJson : JsonSerializerContext;
