using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests;

/// <summary>What the repository's appsettings.json serves and what its docker-compose.yml publishes are the same.</summary>
public sealed partial class ComposeTests
{
    [Fact]
    public void Compose_PublishedPorts_AreThoseOfAppsettings()
    {
        var settings = JsonNode.Parse(File.ReadAllText(Repository.PathOf("appsettings.json")), documentOptions: new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true })!;
        var served = settings["Perch"]!["Endpoints"]!.AsObject().Select(e => e.Value!)
            .Where(e => e["Enabled"]?.GetValue<bool>() != false && e["Port"] is not null)
            .Select(e => (Port: e["Port"]!.GetValue<int>(), Transport: e["Transport"]?.GetValue<string>().ToLowerInvariant() ?? "tcp"))
            .Append((new Uri(settings["Kestrel"]!["Endpoints"]!["Admin"]!["Url"]!.GetValue<string>()).Port, "tcp"));

        var published = Published(File.ReadAllText(Repository.PathOf("docker-compose.yml")));
        Assert.All(published, p => Assert.Equal(("127.0.0.1", p.Container), (p.Address, p.Host)));
        Assert.Equal(served.Order(), published.Select(p => (p.Container, p.Transport)).Order());
    }

    [Fact]
    public void Container_DocumentedLogPath_IsWritable()
    {
        var documented = LogPath().Match(File.ReadAllText(Repository.PathOf("docs/operations.md")));
        Assert.True(documented.Success, "operations.md has an example of a log file");
        var folder = documented.Groups["folder"].Value;

        var image = File.ReadAllText(Repository.PathOf("Dockerfile"));
        Assert.Contains($"COPY --from=build --chown=$APP_UID:$APP_UID /image/{folder} ./{folder}\n", image, StringComparison.Ordinal);
        // The root of the compose file's container is read-only.
        var service = PerchService().Match(File.ReadAllText(Repository.PathOf("docker-compose.yml"))).Value;
        Assert.Contains($":/app/{folder}\n", service, StringComparison.Ordinal);
    }

    [Fact]
    public void KubernetesManifest_FoldersThatTheServerWrites_AreVolumes()
    {
        var service = PerchService().Match(File.ReadAllText(Repository.PathOf("docker-compose.yml"))).Value;
        var manifest = Manifest().Match(File.ReadAllText(Repository.PathOf("docs/operations.md"))).Value;
        var written = VolumePath().Matches(service).Select(match => match.Groups["path"].Value).Append("/tmp").ToList();

        Assert.Contains("/app/data", written);
        Assert.Contains("tmpfs: [/tmp]", service, StringComparison.Ordinal);
        Assert.All(written, path => Assert.Contains($"mountPath: {path}", manifest, StringComparison.Ordinal));
    }

    private static List<(string Address, int Host, int Container, string Transport)> Published(string compose)
    {
        var service = PerchService().Match(compose);
        Assert.True(service.Success, "docker-compose.yml has a service named perch");
        var lines = Port().Matches(service.Value);
        Assert.NotEmpty(lines);
        return [.. lines.Select(m => (m.Groups["address"].Value, Number(m, "host"), Number(m, "container"), m.Groups["transport"] is { Success: true } t ? t.Value : "tcp"))];
    }

    private static int Number(Match match, string group) => int.Parse(match.Groups[group].Value, System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>From <c>  perch:</c> to the next key that stands no deeper.</summary>
    [GeneratedRegex(@"^  perch:\n(?:(?:    .*)?\n)+", RegexOptions.Multiline, 1000)]
    private static partial Regex PerchService();

    [GeneratedRegex(@"```yaml\nspec:\n.*?```", RegexOptions.Singleline, 1000)]
    private static partial Regex Manifest();

    [GeneratedRegex(@"^      - .+:(?<path>/[\w/]+)(?::ro)?$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex VolumePath();

    [GeneratedRegex(@"""Name"": ""File"", ""Args"": \{ ""path"": ""(?<folder>\w+)/", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex LogPath();

    [GeneratedRegex(@"^\s+- ""(?:(?<address>[\d.]+):)?(?<host>\d+):(?<container>\d+)(?:/(?<transport>\w+))?""", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Port();
}
