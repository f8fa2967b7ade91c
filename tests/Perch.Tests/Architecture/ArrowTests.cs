using System.Xml.Linq;

namespace Perch.Tests.Architecture;

/// <summary>References run one way: Wire, Perch, Protocols, Server; and Wire, Cli.</summary>
public sealed class ArrowTests
{
    [Theory]
    [InlineData("Perch.Wire")]
    [InlineData("Perch.Transport")]
    [InlineData("Perch", "Perch.Transport", "Perch.Wire")]
    [InlineData("Perch.Protocols", "Perch", "Perch.Wire")]
    [InlineData("Perch.Cli", "Perch.Wire")]
    public void Project_References_FollowTheArrows(string project, params string[] allowed)
    {
        var references = References(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)).ToList();

        Assert.Empty(references.Except(allowed));
        Assert.Equal(allowed.Length > 0, references.Count > 0);
    }

    [Theory]
    [InlineData("Perch.Wire")]
    [InlineData("Perch.Transport")]
    [InlineData("Perch")]
    [InlineData("Perch.Protocols")]
    [InlineData("Perch.Cli")]
    public void Project_Packages_KnowNoLoggerAndNoExporter(string project) =>
        Assert.DoesNotContain(References(project, "PackageReference"), IsTheServers);

    [Fact]
    public void Server_Packages_KnowThem() => Assert.Contains(References("Perch.Server", "PackageReference"), IsTheServers);

    [Theory]
    [InlineData("Perch.Wire")]
    [InlineData("Perch.Transport")]
    public void Project_Frameworks_AreTheBaseOneOnly(string project) => Assert.Empty(References(project, "FrameworkReference"));

    [Fact]
    public void Transport_Packages_AreAbstractionsOnly() => Assert.Equal(
        ["Microsoft.AspNetCore.Connections.Abstractions", "Microsoft.Extensions.Logging.Abstractions"],
        References("Perch.Transport", "PackageReference"));

    private static bool IsTheServers(string package) =>
        package.StartsWith("Serilog", StringComparison.OrdinalIgnoreCase) || package.StartsWith("OpenTelemetry", StringComparison.OrdinalIgnoreCase);

    private static List<string> References(string project, string kind) =>
        [.. XDocument.Load(Repository.PathOf($"src/{project}/{project}.csproj")).Descendants(kind).Select(e => e.Attribute("Include")!.Value.Replace('\\', '/'))];
}
