using System.Net;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Card;

/// <summary>
/// The promises of the project's card, one test for each. Three clauses have tests elsewhere: the ports of the compose file
/// (<see cref="ComposeTests.Compose_PublishedPorts_AreThoseOfAppsettings"/>), a port that is tuned while the server runs
/// (<see cref="ReloadTests.Endpoint_PortMoved_ServesThereAndDrainsHere"/>), and a real Prometheus that scrapes the server
/// (<see cref="MetricsTests.Prometheus_ScrapesTheServer_CountsWhatTheClientCounted"/>).
/// </summary>
public sealed partial class CardTests
{
    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";

    [Theory]
    [InlineData("Microsoft.AspNetCore.Connections.Abstractions", "src/Perch.Transport", "Perch.Transport.dll")]
    [InlineData("Serilog.AspNetCore", "src/Perch.Server", "perch-server.dll")]
    [InlineData("OpenTelemetry.Extensions.Hosting", "src/Perch.Server", "perch-server.dll")]
    [InlineData("xunit", "tests/Perch.FunctionalTests", "Perch.FunctionalTests.dll")]
    public void Package_OfTheCard_IsReferencedAndUsed(string package, string project, string assembly)
    {
        var packages = new ProjectPackages(project);

        Assert.Contains(package, packages.Referenced);
        Assert.NotEmpty(ProjectPackages.TypesUsed(assembly, packages.AssembliesOf(package)));
    }

    [Theory]
    [InlineData("src", true)]
    [InlineData("tests", true)]
    [InlineData("deploy", true)]
    [InlineData("Dockerfile", false)]
    [InlineData("docker-compose.yml", false)]
    [InlineData("appsettings.json", false)]
    [InlineData("Server.sln", false)]
    public void TopLevel_EntryOfTheCard_Exists(string entry, bool isFolder)
    {
        var path = Repository.PathOf(entry);

        Assert.True(isFolder ? Directory.Exists(path) : File.Exists(path), $"{path} does not exist");
    }

    [Fact]
    public void Endpoints_TheirServer_IsKestrels()
    {
        var used = ProjectPackages.TypesUsed("Perch.dll", new HashSet<string> { typeof(KestrelServer).Assembly.GetName().Name! });

        Assert.Contains(typeof(KestrelServer).FullName, used);
        Assert.Contains(typeof(ListenOptions).FullName, used);
    }

    [Fact]
    public async Task Handler_OfAnEndpoint_IsTheKeyedServiceOfItsProtocol()
    {
        var settings = new ServerSettings().With("greeting", """{ "Port": 0, "Protocol": "greeting" }""");
        await using var host = await PerchHost.StartAsync(settings, perch =>
        {
            perch.AddProtocol<GreetingHandler>("greeting");
            perch.Services.AddSingleton(new Greeting("from a service"));
            // The last registration of a key is the one that is resolved.
            perch.Services.AddKeyedScoped<object, PoliteGreetingHandler>("greeting");
        });
        using var client = await host.ConnectAsync("greeting");

        Assert.Equal("please: from a service", System.Text.Encoding.UTF8.GetString(await client.ReceiveToEndAsync()));
    }

    [Fact]
    public async Task Server_EndpointOfTheConfiguration_HasHealthAndMetricsAlongside()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("configured", Echo));
        using (var client = await host.ConnectAsync("configured"))
            Assert.Equal("GOT:x", await client.AskAsync("x", 5));

        var (status, body) = await host.Admin.GetReadyAsync();
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Equal("configured Listening", string.Join(',', body["endpoints"]!.AsArray().Select(e => $"{e!["name"]} {e["state"]}")));
        await Poll.UntilAsync(
            async () => (await host.Admin.GetMetricsAsync()).Sum("perch_messages_total", "endpoint=\"configured\"") == 1,
            () => "the message is counted");
    }

    [Fact]
    public void Prometheus_OfTheComposeFile_ScrapesTheAdminPortOfTheServer()
    {
        var scraped = PerchJob().Match(File.ReadAllText(Repository.PathOf("deploy/prometheus/prometheus.yml")));
        var compose = File.ReadAllText(Repository.PathOf("docker-compose.yml"));

        Assert.True(scraped.Success, "prometheus.yml has a job named perch");
        Assert.Contains($"\n  {scraped.Groups["host"].Value}:\n", compose, StringComparison.Ordinal);
        Assert.Contains("./deploy/prometheus:/etc/prometheus:ro", compose, StringComparison.Ordinal);
        Assert.Contains(
            $"Kestrel__Endpoints__Admin__Url=http://0.0.0.0:{scraped.Groups["port"].Value}\n",
            File.ReadAllText(Repository.PathOf("Dockerfile")), StringComparison.Ordinal);
    }

    [Fact]
    public void Dockerfile_VersionLabel_IsTheVersionOfTheBuild()
    {
        var version = XDocument.Load(Repository.PathOf("Directory.Build.props")).Descendants("Version").Single().Value;

        Assert.Contains(
            $"org.opencontainers.image.version=\"{version}\"", File.ReadAllText(Repository.PathOf("Dockerfile")), StringComparison.Ordinal);
    }

    [GeneratedRegex(
        @"job_name: perch\n\s+static_configs:\n\s+- targets: \[""(?<host>[\w-]+):(?<port>\d+)""\]", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PerchJob();

    internal sealed record Greeting(string Text);

    internal class GreetingHandler(Greeting greeting) : ConnectionHandler
    {
        protected virtual string Prefix => "";

        public override async Task OnConnectedAsync(ConnectionContext connection) =>
            await connection.Transport.Output.WriteAsync(System.Text.Encoding.UTF8.GetBytes(Prefix + greeting.Text));
    }

    internal sealed class PoliteGreetingHandler(Greeting greeting) : GreetingHandler(greeting)
    {
        protected override string Prefix => "please: ";
    }
}
