using System.Xml.Linq;

namespace Perch.Tests.Architecture;

/// <summary>Each project uses only projects that stand above it in the list, from those that depend on nothing to the applications.</summary>
public sealed class ArrowTests
{
    [Theory]
    [InlineData("Perch.Linux")]
    [InlineData("Perch.Wire")]
    [InlineData("Perch.Transport", "Perch.Linux")]
    [InlineData("Perch", "Perch.Linux", "Perch.Transport", "Perch.Wire")]
    [InlineData("Perch.Protocols", "Perch", "Perch.Transport", "Perch.Wire")]
    [InlineData("Perch.Records", "Perch", "Perch.Linux", "Perch.Transport", "Perch.Wire")]
    [InlineData("Perch.Records.Postgres", "Perch", "Perch.Records", "Perch.Wire")]
    [InlineData("Perch.Files", "Perch", "Perch.Linux", "Perch.Transport", "Perch.Wire")]
    [InlineData("Perch.Files.S3", "Perch", "Perch.Files", "Perch.Linux", "Perch.Wire")]
    [InlineData("Perch.Tftp", "Perch", "Perch.Files", "Perch.Wire")]
    [InlineData("Perch.Cli", "Perch.Wire")]
    public void Project_References_FollowTheArrows(string project, params string[] allowed)
    {
        var references = References(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)).ToList();

        Assert.Empty(references.Except(allowed));
        Assert.Equal(allowed.Length > 0, references.Count > 0);
    }

    [Theory]
    [InlineData("Perch.Linux")]
    [InlineData("Perch.Wire")]
    [InlineData("Perch.Transport")]
    [InlineData("Perch")]
    [InlineData("Perch.Protocols")]
    [InlineData("Perch.Records")]
    [InlineData("Perch.Records.Postgres")]
    [InlineData("Perch.Files")]
    [InlineData("Perch.Files.S3")]
    [InlineData("Perch.Tftp")]
    [InlineData("Perch.Cli")]
    public void Project_Packages_KnowNoLoggerAndNoExporter(string project) =>
        Assert.DoesNotContain(References(project, "PackageReference"), IsTheServers);

    [Fact]
    public void Server_Packages_KnowThem() => Assert.Contains(References("Perch.Server", "PackageReference"), IsTheServers);

    [Theory]
    [InlineData("Perch.Linux")]
    [InlineData("Perch.Wire")]
    [InlineData("Perch.Transport")]
    public void Project_Frameworks_AreTheBaseOneOnly(string project) => Assert.Empty(References(project, "FrameworkReference"));

    [Fact]
    public void Transport_Packages_AreAbstractionsOnly() => Assert.Equal(
        ["Microsoft.AspNetCore.Connections.Abstractions", "Microsoft.Extensions.Logging.Abstractions"],
        References("Perch.Transport", "PackageReference"));

    /// <summary>An application with its own protocols, or the small ones, gets no database, no cloud SDK and no logger.</summary>
    [Theory]
    [InlineData("Perch")]
    [InlineData("Perch.Protocols")]
    [InlineData("Perch.Files")]
    [InlineData("Perch.Tftp")]
    public void Project_LockFile_HasNoPackageOfAStore(string project)
    {
        var packages = File.ReadAllText(Repository.PathOf($"src/{project}/packages.lock.json"));

        Assert.All(
            ["AWSSDK", "Npgsql", "SQLitePCLRaw", "Polly", "Serilog", "OpenTelemetry"],
            name => Assert.DoesNotContain($"\"{name}", packages, StringComparison.OrdinalIgnoreCase));
    }

    private static bool IsTheServers(string package) =>
        package.StartsWith("Serilog", StringComparison.OrdinalIgnoreCase) || package.StartsWith("OpenTelemetry", StringComparison.OrdinalIgnoreCase);

    private static List<string> References(string project, string kind) =>
        [.. XDocument.Load(Repository.PathOf($"src/{project}/{project}.csproj")).Descendants(kind).Select(e => e.Attribute("Include")!.Value.Replace('\\', '/'))];
}
