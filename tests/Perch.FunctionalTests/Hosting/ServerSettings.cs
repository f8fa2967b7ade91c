using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Perch.FunctionalTests.Hosting;

/// <summary>An appsettings.json in the making: every port 0 unless a test says otherwise.</summary>
internal sealed class ServerSettings
{
    private static readonly Dictionary<string, string> LogOverrides = new() { ["Microsoft"] = "Warning", ["Microsoft.Hosting.Lifetime"] = "Information" };

    private static readonly JsonSerializerOptions OmitNull = new() { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    /// <summary>Each endpoint's object, by name.</summary>
    public Dictionary<string, string> Endpoints { get; } = [];

    /// <summary>The variable PERCH_TEST_SOCKET_ENGINE sets the engine for a whole run. Default <c>Direct</c>.</summary>
    public string SocketEngine { get; set; } = Environment.GetEnvironmentVariable("PERCH_TEST_SOCKET_ENGINE") is { Length: > 0 } name ? name : "Direct";

    /// <summary>The number of event loops; 0 is one per processor.</summary>
    public int Loops { get; set; }

    /// <summary>Bytes; null for the default.</summary>
    public long? MemoryBudget { get; set; }

    public string Drain { get; set; } = "00:00:10";

    public string LameDuck { get; set; } = "00:00:00";

    public string AdminUrl { get; set; } = "http://127.0.0.1:0";

    public string ApiKey { get; set; } = "";

    /// <summary>The names of <c>Admin:Hosts</c>.</summary>
    public string[] Hosts { get; set; } = [];

    /// <summary>Members of <c>Perch:Defaults:Guards</c>.</summary>
    [StringSyntax(StringSyntaxAttribute.Json)]
    public string Guards { get; set; } = "{}";

    /// <summary>Members of <c>Perch:Records</c>.</summary>
    [StringSyntax(StringSyntaxAttribute.Json)]
    public string Records { get; set; } = "{}";

    /// <summary>The section <c>Perch:Files</c>.</summary>
    [StringSyntax(StringSyntaxAttribute.Json)]
    public string Files { get; set; } = "{}";

    public string Log { get; set; } = "Information";

    public string LogFormat { get; set; } = "Text";

    public ServerSettings With(string endpoint, [StringSyntax(StringSyntaxAttribute.Json)] string json)
    {
        Endpoints[endpoint] = json;
        return this;
    }

    public ServerSettings Without(string endpoint)
    {
        Endpoints.Remove(endpoint);
        return this;
    }

    public override string ToString() => JsonSerializer.Serialize(new
    {
        Perch = new
        {
            SocketEngine,
            Loops,
            MemoryBudget,
            Endpoints = Endpoints.ToDictionary(e => e.Key, e => JsonNode.Parse(e.Value)),
            Defaults = new { Guards = JsonNode.Parse(Guards) },
            Records = JsonNode.Parse(Records),
            Files = JsonNode.Parse(Files),
            Shutdown = new { Drain, LameDuck },
        },
        Kestrel = new { Endpoints = new { Admin = new { Url = AdminUrl } } },
        Admin = new { ApiKey, Hosts },
        Logging = new { Format = LogFormat },
        Serilog = new { MinimumLevel = new { Default = Log, Override = LogOverrides } },
    }, OmitNull);
}
