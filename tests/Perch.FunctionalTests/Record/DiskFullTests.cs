using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>The database's disk, a small one in memory, has no room for a while.</summary>
public sealed class DiskFullTests
{
    /// <summary>
    /// Of 8 MiB the log alone takes all, which grows to 16 MiB before it is brought into the file; of 40 MiB the file does,
    /// while the log is brought in.
    /// </summary>
    [NeighbourTheory("mount", Capability.SysAdmin)]
    [InlineData(8)]
    [InlineData(40)]
    public async Task DiskFull_UntilRoomIsMade_RefusesAndThenStores(int mebibytes)
    {
        using var folder = new ServerFolder(FaultScene.Settings);
        await using var disk = await SmallDisk.MountAsync(FaultScene.DataFolder(folder), mebibytes);
        await using var scene = await FaultScene.StartAsync(folder);
        await scene.RefusedAsync("full", "has no room");
        await scene.FloodAsync();
        await disk.GrowAsync(mebibytes + 200);
        await scene.RecoveredAsync();
        await scene.VerifyAfterKillAsync();
    }

    private sealed class SmallDisk(string folder) : IAsyncDisposable
    {
        public static async Task<SmallDisk> MountAsync(string folder, int mebibytes)
        {
            Directory.CreateDirectory(folder);
            await Neighbour.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={mebibytes}m", "perch-test", folder], "");
            return new(folder);
        }

        public async Task GrowAsync(int mebibytes) => await Neighbour.RunAsync("mount", ["-o", $"remount,size={mebibytes}m", folder], "");

        public async ValueTask DisposeAsync() => await Neighbour.RunAsync("umount", ["--lazy", folder], "");
    }
}
