using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>Another process holds the database.</summary>
public sealed class LockedTests
{
    [NeighbourFact("sqlite3")]
    public async Task Locked_ForTenSeconds_RefusesAndThenStores()
    {
        using var folder = new ServerFolder(FaultScene.Settings);
        await using var scene = await FaultScene.StartAsync(folder);
        await using var sqlite = Neighbour.Start("sqlite3", [FaultScene.DatabasePath(folder)]);
        await sqlite.Input.WriteLineAsync(".timeout 30000\nBEGIN IMMEDIATE;\nSELECT 'locked';");
        await Poll.UntilAsync(() => sqlite.Output.Contains("locked", StringComparison.Ordinal), () => $"sqlite3 has the lock: {sqlite.Output}");

        await scene.RefusedAsync("busy", "Another process holds the database locked");
        await Task.WhenAll(scene.FloodAsync(), scene.NothingIsStoredAsync("busy", TimeSpan.FromSeconds(8)));

        await sqlite.Input.WriteLineAsync("ROLLBACK;");
        await scene.RecoveredAsync();
        await scene.VerifyAfterKillAsync();
    }
}
