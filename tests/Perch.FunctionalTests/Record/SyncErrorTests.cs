using System.Globalization;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>The disk does not take what was written: <c>fsync</c> and <c>fdatasync</c> fail, as strace has them do.</summary>
public sealed class SyncErrorTests
{
    [NeighbourFact("strace", Capability.SysPtrace)]
    public async Task Sync_EachFails_NothingIsAcknowledgedUntilItEnds()
    {
        using var folder = new ServerFolder(FaultScene.Settings);
        await using var scene = await FaultScene.StartAsync(folder);
        await using (var strace = Inject(scene.Server, "error=EIO"))
        {
            await scene.RefusedAsync("unavailable", "failed to read, write or sync");
            await Task.WhenAll(scene.FloodAsync(), scene.NothingIsStoredAsync("unavailable", TimeSpan.FromSeconds(2)));
            await strace.EndAsync(ServerProcess.Sigint);
        }

        await scene.RecoveredAsync();
        await scene.VerifyAfterKillAsync();
    }

    /// <summary>One that fails among others that do not: a commit that comes after it must not rest on what it lost.</summary>
    [NeighbourFact("strace", Capability.SysPtrace)]
    public async Task Sync_SomeFail_WhatIsAcknowledgedIsThere()
    {
        using var folder = new ServerFolder(FaultScene.Settings);
        await using var scene = await FaultScene.StartAsync(folder);
        await using (var strace = Inject(scene.Server, "error=EIO:when=4+4"))
        {
            for (var i = 0; i < 2; i++)
            {
                await scene.RefusedAsync("unavailable", "failed to read, write or sync");
                await scene.RecoveredAsync();
            }

            await strace.EndAsync(ServerProcess.Sigint);
        }

        await scene.RecoveredAsync();
        await scene.VerifyAfterKillAsync();
    }

    /// <summary>The index of the log (-shm) cannot grow, though the disk has room: that is not a full disk.</summary>
    [NeighbourFact("strace", Capability.SysPtrace)]
    public async Task IndexGrowth_Fails_IsNotReportedAsFull()
    {
        using var folder = new ServerFolder(FaultScene.Settings);
        await using var scene = await FaultScene.StartAsync(folder);
        string[] arguments =
        [
            "-f", "-qq", "-o", "/dev/null", "-p", scene.Server.Id.ToString(CultureInfo.InvariantCulture), "-P", FaultScene.DatabasePath(folder) + "-shm",
            "-e", "trace=pwrite64,write", "-e", "inject=pwrite64,write:error=EIO",
        ];
        await using (var strace = Neighbour.Start("strace", arguments))
        {
            await Poll.UntilAsync(() => Tracer(scene.Server.Id) != 0, () => "strace is attached");
            await scene.FloodAsync();
            var metrics = await scene.Server.Admin.GetMetricsAsync();
            Assert.NotEqual(0, metrics.Sum("perch_records_refused_total", "code=\"unavailable\""));
            Assert.Equal(0, metrics.Sum("perch_records_refused_total", "code=\"full\""));
            await strace.EndAsync(ServerProcess.Sigint);
        }

        await scene.RecoveredAsync();
        await scene.VerifyAfterKillAsync();
    }

    private static int Tracer(int process)
    {
        const string Key = "TracerPid:";
        var line = File.ReadLines(string.Create(CultureInfo.InvariantCulture, $"/proc/{process}/status")).First(line => line.StartsWith(Key, StringComparison.Ordinal));
        return int.Parse(line.AsSpan(Key.Length).Trim(), CultureInfo.InvariantCulture);
    }

    private static Neighbour Inject(ServerProcess server, string fault) => Neighbour.Start(
        "strace",
        ["-f", "-qq", "-o", "/dev/null", "-p", server.Id.ToString(CultureInfo.InvariantCulture), "-e", "trace=fsync,fdatasync", "-e", $"inject=fsync,fdatasync:{fault}"]);
}
