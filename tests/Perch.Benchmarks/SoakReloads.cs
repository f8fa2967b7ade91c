using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Perch.Benchmarks;

/// <summary>
/// Edits the server's appsettings.json over and over: another endpoint comes, serves and goes, and the loaded one gets other limits
/// for its next connections. Each edit has to be served before the next.
/// </summary>
internal sealed class SoakReloads(ServerProcess server)
{
    private const string Extra = "extra";

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly string _path = Path.Combine(server.Folder.FullName, "appsettings.json");

    public int Count { get; private set; }

    /// <exception cref="InvalidOperationException">An edit was not served.</exception>
    public async Task RunAsync(TimeSpan span)
    {
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < span;)
        {
            await EditAsync(extra: true);
            await new SoakClient(await server.FindAsync(Extra), seed: Count).RunAsync(TimeSpan.FromSeconds(1));
            await EditAsync(extra: false);
        }
    }

    private async Task EditAsync(bool extra)
    {
        var settings = JsonNode.Parse(await File.ReadAllTextAsync(_path))!;
        var endpoints = settings["Perch"]!["Endpoints"]!.AsObject();
        // Any of it echoes byte for byte.
        endpoints["bench"]!["Options"]!["MaxMessageBytes"] = 1000 + (Count % 7 * 9000);
        if (extra) endpoints[Extra] = JsonSerializer.SerializeToNode(ServerSettings.Echo("perch", 1000));
        else endpoints.Remove(Extra);
        await File.WriteAllTextAsync(_path + ".new", settings.ToJsonString());
        // By rename, as editors do, and in place.
        if (Count++ % 2 == 0) File.Move(_path + ".new", _path, overwrite: true);
        else File.Copy(_path + ".new", _path, overwrite: true);
        await WaitForAsync(extra);
    }

    private async Task WaitForAsync(bool extra)
    {
        using var http = new HttpClient();
        for (var started = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(started) < Limit; await Task.Delay(TimeSpan.FromMilliseconds(100)))
        {
            var rows = await http.GetFromJsonAsync<JsonElement>(new Uri(server.Admin!, "/endpoints"));
            // An endpoint that comes has no port until it is bound.
            var served = rows.EnumerateArray().Where(row => row.GetProperty("name").ValueEquals(Extra)).Select(row => row.TryGetProperty("port", out _)).ToList();
            if (extra ? served is [true] : served is []) return;
        }

        throw new InvalidOperationException($"An edit of appsettings.json was not served within {Limit.TotalSeconds:0} s.");
    }
}
