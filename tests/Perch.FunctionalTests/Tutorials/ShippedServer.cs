using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>A server process with the repository's appsettings.json, in which only the ports are changed to 0.</summary>
public sealed class ShippedServer : IAsyncLifetime, IDisposable
{
    private readonly ServerFolder _folder = new();
    private ServerProcess? _server;

    internal ServerProcess Process => _server ?? throw new InvalidOperationException("The server has not started.");

    /// <summary>Ports of the endpoints that appsettings.json enables.</summary>
    internal static IEnumerable<int> EnabledPorts() => Settings()["Perch"]!["Endpoints"]!.AsObject()
        .Where(endpoint => endpoint.Value!["Enabled"]?.GetValue<bool>() != false)
        .Select(endpoint => endpoint.Value!["Port"]!.GetValue<int>())
        .Distinct();

    public async Task InitializeAsync()
    {
        var settings = Settings();
        var endpoints = settings["Perch"]!["Endpoints"]!.AsObject();
        foreach (var (_, endpoint) in endpoints) endpoint!["Port"] = 0;
        endpoints["echo-lines"] = JsonNode.Parse("""{ "Port": 0, "Protocol": "echo", "Options": { "Framing": "Line" } }""");
        settings["Kestrel"]!["Endpoints"]!["Admin"]!["Url"] = "http://127.0.0.1:0";
        settings["Serilog"]!["MinimumLevel"]!["Override"]!["Microsoft.Hosting.Lifetime"] = "Information";
        _folder.Write(settings.ToJsonString());
        _server = await ServerProcess.StartAsync(_folder);
    }

    public async Task DisposeAsync()
    {
        if (_server is not null)
            await _server.DisposeAsync();
    }

    public void Dispose() => _folder.Dispose();

    private static JsonNode Settings() => JsonNode.Parse(File.ReadAllText(Repository.PathOf("appsettings.json")))!;
}
