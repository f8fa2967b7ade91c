using Perch.Wire.Files;

namespace Perch.Files.Disk;

/// <summary>What a store does before it is open: it ends what a crash left, and counts what there is.</summary>
internal static class DiskRecovery
{
    /// <summary>Finishes what a crash left between the two renames, and forgets what it left before them.</summary>
    /// <returns>How many files were published.</returns>
    public static int Finish(DiskLayout layout)
    {
        var recovered = 0;
        foreach (var entry in layout.Next.Names())
        {
            if (DiskMetadata.TryRead(layout.Next, entry) is { } next && FileName.TryParse(next.Name, out var name, out _))
            {
                var parent = layout.TryOpenParent(name, out var leaf);
                var isNamed = parent?.TryStat(leaf) is { IsRegular: true } file && file.Inode == next.Inode && file.Size == next.Length;
                layout.Release(parent);
                var key = DiskMetadata.KeyOf(name);
                if (isNamed && layout.Next.TryRename(entry, layout.Meta(key), key))
                {
                    recovered++;
                    continue;
                }
            }

            layout.Next.Delete(entry);
        }

        return recovered;
    }

    /// <summary>Counts the regular files, and their bytes.</summary>
    public static (long Files, long Bytes) Count(DiskLayout layout) => Count(layout.Root, isRoot: true);

    private static (long Files, long Bytes) Count(DiskFolder folder, bool isRoot)
    {
        var (files, bytes) = (0L, 0L);
        var folders = new List<string>();
        folder.ForEach((name, isFolder) =>
        {
            if (isRoot && name is DiskLayout.Own) return;
            if (isFolder) folders.Add(name.ToString());
            else if (folder.TryStat(name.ToString()) is { IsRegular: true } status) (files, bytes) = (files + 1, bytes + status.Size);
        });
        foreach (var name in folders)
        {
            using var inner = folder.TryOpenFolder(name);
            if (inner is null) continue;
            var (innerFiles, innerBytes) = Count(inner, isRoot: false);
            (files, bytes) = (files + innerFiles, bytes + innerBytes);
        }

        return (files, bytes);
    }
}
