namespace Perch.Benchmarks;

/// <summary>
/// Random connections and reloads against the direct transport, in periods of a minute (a sixth of a shorter soak). After each
/// they pause, the server closes what was left behind, and what it holds is read. The first period warms up.
/// </summary>
internal sealed class Soak(TimeSpan span)
{
    private const string Server = "perch-direct";

    private const int Clients = 50;

    private const int FewestPeriods = 6;

    /// <returns>0, or 1 where content was wrong, an edit was not served, the log has an error, or something grew.</returns>
    public async Task<int> RunAsync()
    {
        var periods = Math.Max(FewestPeriods, (int)span.TotalMinutes);
        using var server = await ServerProcess.StartAsync(Server, pinned: false);
        var before = server.Descriptors;
        var readings = new List<SoakReading>();
        Console.WriteLine("| minutes | connections | MB echoed | reloads | MB of memory | descriptors | threads |");
        Console.WriteLine("|---:|---:|---:|---:|---:|---:|---:|");
        for (var period = 1; period <= periods; period++)
        {
            var clients = Enumerable.Range(0, Clients).Select(index => new SoakClient(server.EndPoint, (period * Clients) + index)).ToList();
            var reloads = new SoakReloads(server);
            await Task.WhenAll([.. clients.Select(client => Task.Run(() => client.RunAsync(span / periods))), reloads.RunAsync(span / periods)]);
            await server.WaitForDescriptorsAsync(before);
            var reading = new SoakReading(server.ResidentMemory, server.Descriptors, server.Threads);
            readings.Add(reading);
            Console.WriteLine($"| {span.TotalMinutes / periods * period:0.#} | {clients.Sum(one => one.Connections):N0} | {clients.Sum(one => one.Bytes) / 1e6:N0} | {reloads.Count} | {reading.Memory / 1e6:0.0} | {reading.Descriptors} | {reading.Threads} |");
        }

        string[] faults = [.. server.Errors, .. SoakReading.Growth(readings[1..])];
        foreach (var fault in faults) await Console.Error.WriteLineAsync(fault);
        return faults.Length == 0 ? 0 : 1;
    }
}
