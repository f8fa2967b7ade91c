using System.Buffers;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>Reads all that is in the store's folder and tells what it is. Changes nothing; a server may use the store meanwhile.</summary>
internal sealed class DiskVerifier(DiskLayout layout)
{
    /// <summary>A file that is replaced while it is looked at is looked at again.</summary>
    private const int Tries = 5;

    public IEnumerable<FileFinding> Verify(CancellationToken cancellationToken) =>
        Uploads().Concat(Folder(layout.Root, "", cancellationToken)).Concat(Metadata(cancellationToken));

    private IEnumerable<FileFinding> Uploads()
    {
        foreach (var entry in layout.Uploads.Names())
        {
            var place = $"{DiskLayout.Own}/uploads/{entry}";
            if (entry.StartsWith(DiskLayout.Probe, StringComparison.Ordinal) || layout.Uploads.TryStat(entry) is not { } status) continue;
            yield return DiskUploads.IsEntry(entry) && status.IsRegular
                ? new(false, place, $"unfinished upload, {status.Size} bytes can be resumed")
                : new(true, place, "is not of the store");
        }

        foreach (var entry in layout.Next.Names().Where(DiskUploads.IsEntry)) yield return new(false, $"{DiskLayout.Own}/next/{entry}", "was being published; the next start finishes or forgets it");
    }

    /// <remarks>The names of one folder are held at once, those of others are not.</remarks>
    private IEnumerable<FileFinding> Folder(DiskFolder folder, string path, CancellationToken cancellationToken)
    {
        var names = new List<(string Name, bool IsFolder)>();
        folder.ForEach((name, isFolder) => names.Add((name.ToString(), isFolder)));
        foreach (var (name, isFolder) in names.OrderBy(n => n.Name, StringComparer.Ordinal))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (path.Length == 0 && name == DiskLayout.Own) continue;
            if (!isFolder)
            {
                if (File(folder, path, name) is { } finding) yield return finding;
                continue;
            }

            using var inner = folder.TryOpenFolder(name);
            if (inner is null) yield return new(true, path + name, "is a link, which the store does not follow");
            else foreach (var finding in Folder(inner, $"{path}{name}/", cancellationToken)) yield return finding;
        }
    }

    private FileFinding? File(DiskFolder folder, string path, string leaf)
    {
        if (!FileName.TryParse(path + leaf, out var name, out var fault)) return new(true, path + leaf, $"cannot be a file of the store: {fault}");
        FileFinding? finding = null;
        for (var i = 0; i < Tries && finding is not { IsFault: false }; i++)
        {
            finding = Look(folder, name, leaf);
            if (finding is null) return null;
        }

        return finding;
    }

    private FileFinding? Look(DiskFolder folder, FileName name, string leaf)
    {
        using var file = folder.TryOpenFile(leaf, out var status);
        if (file is null) return folder.TryStat(leaf) is null ? null : new(true, name.Value, "is not a plain file; the store does not serve it");
        var key = DiskMetadata.KeyOf(name);
        if ((Intended(key, status.Inode) ?? DiskMetadata.TryRead(layout.Meta(key), key)) is not { } metadata) return new(true, name.Value, "has no metadata; the store does not serve it");
        if (metadata.Name != name.Value) return new(true, name.Value, $"has the metadata of another file");
        if (metadata.Length != status.Size) return new(true, name.Value, $"has {status.Size} bytes instead of {metadata.Length}");
        return HashOf(file) == metadata.Sha256
            ? new(false, name.Value, $"{status.Size} bytes, sha256={metadata.Sha256}")
            : new(true, name.Value, $"has another hash than {metadata.Sha256}");
    }

    /// <summary>What waits to become the metadata of this file: it got its name, and then the server was killed.</summary>
    private DiskMetadata? Intended(string key, ulong inode) => layout.Next.Names()
        .Where(entry => entry.StartsWith(key, StringComparison.Ordinal))
        .Select(entry => DiskMetadata.TryRead(layout.Next, entry))
        .FirstOrDefault(metadata => metadata?.Inode == inode);

    private IEnumerable<FileFinding> Metadata(CancellationToken cancellationToken)
    {
        foreach (var folder in layout.MetaFolders)
        {
            cancellationToken.ThrowIfCancellationRequested();
            foreach (var entry in folder.Names())
            {
                if (DiskMetadata.TryRead(folder, entry) is not { } metadata || !FileName.TryParse(metadata.Name, out var name, out _) || DiskMetadata.KeyOf(name) != entry)
                {
                    // An empty one was made for an upload that a crash cut off.
                    if (folder.TryStat(entry) is { Size: > 0 }) yield return new(true, $"{DiskLayout.Own}/meta/{entry}", "is damaged");
                    continue;
                }

                var parent = layout.TryOpenParent(name, out var leaf);
                var isThere = parent?.TryStat(leaf) is not null;
                layout.Release(parent);
                // A crash in a delete leaves this, and the next upload of the name takes it away.
                if (!isThere) yield return new(false, metadata.Name, "was deleted, and its metadata is left");
            }
        }
    }

    private static string HashOf(SafeFileHandle file)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        int read;
        for (long at = 0; (read = RandomAccess.Read(file, buffer, at)) > 0; at += read) hash.AppendData(buffer, 0, read);
        ArrayPool<byte>.Shared.Return(buffer);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
