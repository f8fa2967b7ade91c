using System.Security.Cryptography;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Files;
using Perch.Files.Disk;
using Perch.Linux;
using Perch.Wire.Files;

namespace Perch.Tests.Shared;

/// <summary>A folder for a disk store, and what the tests do with one.</summary>
internal sealed class FileFolder : IDisposable
{
    public string Root { get; } = Directory.CreateTempSubdirectory("perch-files-").FullName;

    public static FileName Name(string text)
    {
        Assert.True(FileName.TryParse(text, out var name, out var fault), fault);
        return name;
    }

    /// <summary>Disk space of all files, in blocks of 4,096 bytes, read while others write.</summary>
    public long Written() => new DirectoryInfo(Root).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file =>
    {
        try
        {
            return (file.Length + 4095) / 4096 * 4096;
        }
        catch (FileNotFoundException)
        {
            // Renamed or deleted meanwhile.
            return 0;
        }
    });

    public static byte[] Bytes(int count, int seed = 1)
    {
        var bytes = new byte[count];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    public static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public string PathOf(string name) => Path.Combine(Root, name);

    /// <summary>What a crash would find: the store's own files of this kind.</summary>
    public string[] Own(string kind) => Directory.GetFiles(PathOf($".perch/{kind}"));

    public async Task<DiskFileStore> OpenAsync(FileStoreOptions? options = null, TimeProvider? time = null, Func<long>? freeBytes = null)
    {
        var store = new DiskFileStore(Root, options ?? new() { MinFreeBytes = 0 }, time ?? TimeProvider.System, NullLogger<DiskFileStore>.Instance, freeBytes);
        await store.OpenAsync(default);
        return store;
    }

    /// <summary>Whether its file system can be written past the page cache.</summary>
    public bool CanDirect() => CanDirect(Root);

    /// <inheritdoc cref="CanDirect()"/>
    public static bool CanDirect(string root)
    {
        var path = Path.Combine(root, "direct");
        File.WriteAllBytes(path, []);
        using var folder = DiskFolder.OpenRoot(root, create: false);
        using var file = folder.TryOpenDirect("direct");
        File.Delete(path);
        return file is not null;
    }

    /// <summary>Whether this process has a file of it open past the page cache.</summary>
    public bool HasDirect() => HasDirect(Root, Environment.ProcessId);

    /// <inheritdoc cref="HasDirect()"/>
    public static bool HasDirect(string root, int process) => Directory.GetFiles($"/proc/{process}/fd").Any(fd =>
    {
        try
        {
            if (File.ResolveLinkTarget(fd, returnFinalTarget: false)?.FullName.StartsWith(root, StringComparison.Ordinal) != true) return false;
            var flags = File.ReadLines($"/proc/{process}/fdinfo/{Path.GetFileName(fd)}").First(line => line.StartsWith("flags:", StringComparison.Ordinal))[6..];
            return (Convert.ToInt32(flags.Trim(), 8) & Posix.Flags.Direct) != 0;
        }
        catch (IOException)
        {
            // Closed meanwhile.
            return false;
        }
    });

    public void Dispose() => Directory.Delete(Root, recursive: true);
}

internal static class FileStoreActions
{
    public static async Task<StoredFile> PutAsync(this IFileStore store, string name, byte[] bytes, string? sha256 = null)
    {
        await using var upload = await store.BeginAsync(new(FileFolder.Name(name)) { Length = bytes.Length, Sha256 = sha256, Endpoint = "test", Remote = "192.0.2.1:5" }, default);
        await upload.AppendAsync(new(bytes));
        return await upload.CompleteAsync();
    }

    public static Task<StoredFile> PutAsync(this IFileStore store, string name, string text) => store.PutAsync(name, Encoding.UTF8.GetBytes(text));

    /// <summary>An upload that is left after these bytes.</summary>
    public static async Task LeaveAsync(this IFileStore store, string name, byte[] bytes, long length, long offset = 0)
    {
        await using var upload = await store.BeginAsync(new(FileFolder.Name(name)) { Length = length, Offset = offset }, default);
        await upload.AppendAsync(new(bytes));
    }

    public static async Task<byte[]?> ReadAsync(this IFileStore store, string name)
    {
        await using var snapshot = await store.OpenReadAsync(FileFolder.Name(name), default);
        return snapshot is null ? null : await snapshot.ReadAllAsync();
    }

    public static async Task<byte[]> ReadAllAsync(this IFileSnapshot snapshot)
    {
        var bytes = new byte[snapshot.File.Length];
        for (var at = 0; at < bytes.Length;) at += await snapshot.ReadAsync(at, bytes.AsMemory(at), default);
        return bytes;
    }

    public static async Task<string?> ReadTextAsync(this IFileStore store, string name) => await store.ReadAsync(name) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    public static Task<FileStatus> StatAsync(this IFileStore store, string name) => store.StatAsync(FileFolder.Name(name), default);

    public static Task<bool> DeleteAsync(this IFileStore store, string name) => store.DeleteAsync(FileFolder.Name(name), default);

    public static async Task<string[]> NamesAsync(this IFileStore store, string prefix = "", string after = "", int limit = 1000) =>
        [.. (await store.ListAsync(prefix, after, limit, default)).Select(f => f.Name.Value)];

    public static async Task<List<FileFinding>> FindAsync(this IFileStore store)
    {
        var findings = new List<FileFinding>();
        await foreach (var finding in store.VerifyAsync(default)) findings.Add(finding);
        return findings;
    }

    public static async Task<List<FileFinding>> FaultsAsync(this IFileStore store) => [.. (await store.FindAsync()).Where(f => f.IsFault)];

    /// <summary>States that it is refused with this code.</summary>
    public static async Task<FileStoreException> RefusedAsync(this Task action, string code)
    {
        var exception = await Assert.ThrowsAsync<FileStoreException>(() => action);
        Assert.Equal(code, exception.Code);
        return exception;
    }
}
