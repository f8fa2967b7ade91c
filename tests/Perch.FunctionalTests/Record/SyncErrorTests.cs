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

    private static Neighbour Inject(ServerProcess server, string fault) => Neighbour.Start(
        "strace",
        ["-f", "-qq", "-o", "/dev/null", "-p", server.Id.ToString(CultureInfo.InvariantCulture), "-e", "trace=fsync,fdatasync", "-e", $"inject=fsync,fdatasync:{fault}"]);
}
