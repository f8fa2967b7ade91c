using System.Globalization;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Perch.FunctionalTests.Hosting;

/// <summary>Asks the admin endpoint, over HTTP as everybody does.</summary>
internal sealed partial class AdminClient : IDisposable
{
    private readonly HttpClient _http;

    /// <param name="url">The endpoint's address.</param>
    /// <param name="apiKey">The key that every request has; empty for none.</param>
    public AdminClient(string url, string apiKey = "")
    {
        Url = url;
        _http = new() { BaseAddress = new Uri(url), Timeout = Poll.Deadline };
        if (apiKey.Length > 0) _http.DefaultRequestHeaders.Add("X-Api-Key", apiKey);
    }

    public string Url { get; }

    public Task<(HttpStatusCode Status, string Body)> GetAsync(string path, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Get, path, headers);

    public async Task<(HttpStatusCode Status, string Body)> SendAsync(HttpMethod method, string path, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);
        using var response = await _http.SendAsync(request);
        return (response.StatusCode, await response.Content.ReadAsStringAsync());
    }

    public async Task<JsonNode> GetJsonAsync(string path)
    {
        var (status, body) = await GetAsync(path);
        Assert.Equal(HttpStatusCode.OK, status);
        return JsonNode.Parse(body)!;
    }

    public async Task<(HttpStatusCode Status, JsonNode Body)> GetReadyAsync()
    {
        var (status, body) = await GetAsync("/health/ready");
        return (status, JsonNode.Parse(body)!);
    }

    public async Task<IReadOnlyList<EndpointRow>> GetEndpointsAsync() =>
        (await GetJsonAsync("/endpoints")).Deserialize<List<EndpointRow>>(JsonSerializerOptions.Web)!;

    /// <summary>The endpoint of this name that listens; null where none does.</summary>
    public async Task<EndpointRow?> FindListeningAsync(string endpoint) =>
        (await GetEndpointsAsync()).FirstOrDefault(e => e.Name == endpoint && e.State == "Listening");

    public async Task<int> GetPortAsync(string endpoint) => (await FindListeningAsync(endpoint))?.Port
        ?? throw new InvalidOperationException($"{endpoint} does not listen: {await GetJsonAsync("/endpoints")}");

    public async Task<IReadOnlyList<EndedRow>> GetRecentAsync() =>
        (await GetJsonAsync("/connections/recent")).Deserialize<List<EndedRow>>(JsonSerializerOptions.Web)!;

    public async Task<IReadOnlyList<EndedRow>> GetConnectionsAsync() =>
        (await GetJsonAsync("/connections?limit=10000")).Deserialize<List<EndedRow>>(JsonSerializerOptions.Web)!;

    public async Task<Metrics> GetMetricsAsync()
    {
        var (status, body) = await GetAsync("/metrics");
        Assert.Equal(HttpStatusCode.OK, status);
        return new(body, SampleLine().Matches(body).ToDictionary(
            m => m.Groups["key"].Value, m => double.Parse(m.Groups["value"].Value, CultureInfo.InvariantCulture)));
    }

    public void Dispose() => _http.Dispose();

    [GeneratedRegex(@"^(?<key>[a-z_]+(\{.*\})?) (?<value>\S+)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex SampleLine();
}

/// <summary>One element of <c>GET /endpoints</c>.</summary>
internal sealed record EndpointRow(
    string Name, string Protocol, string Address, int? Port, string State, string? Reason, DateTimeOffset? NextRetry, int Connections);

/// <summary>One element of <c>GET /connections</c> (without an outcome) and of <c>GET /connections/recent</c>.</summary>
internal sealed record EndedRow(
    string Id, string Endpoint, string Protocol, string Peer, DateTimeOffset StartedAt, TimeSpan Duration,
    long BytesReceived, long BytesSent, long Messages, string? Outcome);

/// <summary>One scrape.</summary>
internal sealed record Metrics(string Text, IReadOnlyDictionary<string, double> Samples)
{
    /// <summary>The sum over the samples of this name that have all of these labels, written as <c>endpoint="echo"</c>.</summary>
    public double Sum(string name, params string[] labels) => Samples
        .Where(s => (s.Key == name || s.Key.StartsWith(name + "{", StringComparison.Ordinal)) && labels.All(l => s.Key.Contains(l, StringComparison.Ordinal)))
        .Sum(s => s.Value);

    public double Ended(string endpoint, string outcome) =>
        Sum("perch_connections_ended_total", $"endpoint=\"{endpoint}\"", $"outcome=\"{outcome}\"");
}
