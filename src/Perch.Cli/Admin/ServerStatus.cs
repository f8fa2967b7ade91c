using System.Text.Json.Nodes;
using Perch.Cli.Json;

namespace Perch.Cli.Admin;

/// <summary>An endpoint as the server tells it; the texts are not escaped yet.</summary>
/// <param name="Name">Its key in the configuration.</param>
/// <param name="Protocol">The protocol's name.</param>
/// <param name="Address">What is bound.</param>
/// <param name="State">Where it is in its life.</param>
/// <param name="Reason">Why it failed, or null.</param>
/// <param name="Connections">Open ones.</param>
/// <param name="Outcomes">How many of the last connections ended how, most first.</param>
internal sealed record EndpointRow(string Name, string Protocol, string Address, string State, string? Reason, int Connections, IReadOnlyList<(string Outcome, int Count)> Outcomes);

/// <summary>What a server tells about itself.</summary>
/// <param name="Status">Its own word: Healthy, Degraded, Unhealthy.</param>
/// <param name="Endpoints">By name.</param>
/// <param name="Complaints">What is not well, as <c>name: text</c>.</param>
internal sealed record ServerStatus(string Status, IReadOnlyList<EndpointRow> Endpoints, IReadOnlyList<string> Complaints)
{
    private const string Healthy = "Healthy";

    public bool IsReady => Status == Healthy;

    /// <param name="health">Of <c>/health/ready</c>.</param>
    /// <param name="recent">Of <c>/connections/recent</c>.</param>
    /// <exception cref="CliException">They are none of Perch's.</exception>
    public static ServerStatus Read(JsonNode health, JsonNode recent)
    {
        try
        {
            var outcomes = recent.AsArray().ToLookup(c => c!["endpoint"]!.GetValue<string>(), c => c!["outcome"]!.GetValue<string>());
            var endpoints = health["endpoints"]!.AsArray().Select(e => new EndpointRow(
                Text(e, "name"), Text(e, "protocol"), Text(e, "address"), Text(e, "state"), e!["reason"]?.GetValue<string>(), e["connections"]!.GetValue<int>(),
                [.. outcomes[Text(e, "name")].CountBy(outcome => outcome).OrderByDescending(o => o.Value).ThenBy(o => o.Key, StringComparer.Ordinal).Select(o => (o.Key, o.Value))]));
            var complaints = health["checks"]?.AsObject().Where(c => c.Value!["status"]!.GetValue<string>() != Healthy).Select(c => $"{c.Key}: {c.Value!["description"]?.GetValue<string>()}") ?? [];
            var faults = health["configurationFaults"]?.AsArray().Select(fault => $"configuration: {fault!.ToText()}") ?? [];
            return new(Text(health, "status"), [.. endpoints.OrderBy(e => e.Name, StringComparer.Ordinal)], [.. complaints, .. faults]);
        }
        catch (Exception exception) when (exception is NullReferenceException or InvalidOperationException or FormatException)
        {
            throw new CliException(ExitCode.Refused, "The server does not answer as Perch's admin endpoint does.");
        }
    }

    private static string Text(JsonNode? node, string name) => node![name]!.GetValue<string>();
}
