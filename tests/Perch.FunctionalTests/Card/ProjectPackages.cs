using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Card;

/// <summary>The packages of one project: what its files reference, what NuGet resolved, and what the built assembly uses.</summary>
internal sealed class ProjectPackages
{
    private readonly JsonObject _resolved;

    /// <param name="project">Folder of the project, from the root of the repository.</param>
    public ProjectPackages(string project)
    {
        var folder = Repository.PathOf(project);
        string[] files = [.. Directory.GetFiles(folder, "*.csproj"), Repository.PathOf("tests/Directory.Build.props")];
        Referenced =
        [
            .. from file in project.StartsWith("tests/", StringComparison.Ordinal) ? files : files[..^1]
                from reference in XDocument.Load(file).Descendants("PackageReference")
                select reference.Attribute("Include")!.Value,
        ];
        var assets = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "obj", "project.assets.json")))!;
        _resolved = assets["targets"]!["net10.0"]!.AsObject();
    }

    /// <summary>Packages that the project's files reference.</summary>
    public IReadOnlyList<string> Referenced { get; }

    /// <summary>
    /// Names of the assemblies that a package provides to the project: its own, and those of the packages that only it brings, since
    /// a package such as <c>xunit</c> has no assembly of its own. A package that another reference brings too does not count.
    /// </summary>
    /// <param name="package">A package that the project references.</param>
    public IReadOnlySet<string> AssembliesOf(string package)
    {
        var others = Closure(Referenced.Where(p => p != package));
        return Closure([package]).Where(p => p == package || !others.Contains(p)).SelectMany(Assemblies).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Full names of the types that an assembly beside the tests uses from other assemblies, by the reference in its metadata.</summary>
    /// <param name="assembly">File name of the assembly.</param>
    /// <param name="providers">Names of the assemblies that define the types.</param>
    public static IReadOnlyList<string> TypesUsed(string assembly, IReadOnlySet<string> providers)
    {
        using var file = new PEReader(File.OpenRead(Path.Combine(AppContext.BaseDirectory, assembly)));
        var metadata = file.GetMetadataReader();
        return
        [
            .. from handle in metadata.TypeReferences
                let type = metadata.GetTypeReference(handle)
                where type.ResolutionScope.Kind == HandleKind.AssemblyReference
                let scope = metadata.GetAssemblyReference((AssemblyReferenceHandle)type.ResolutionScope)
                where providers.Contains(metadata.GetString(scope.Name))
                select $"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}",
        ];
    }

    private HashSet<string> Closure(IEnumerable<string> packages)
    {
        var (closure, next) = (new HashSet<string>(StringComparer.OrdinalIgnoreCase), new Queue<string>(packages));
        while (next.TryDequeue(out var package))
        {
            if (!closure.Add(package))
                continue;

            foreach (var dependency in Resolved(package)?["dependencies"]?.AsObject() ?? [])
                next.Enqueue(dependency.Key);
        }

        return closure;
    }

    private IEnumerable<string> Assemblies(string package) =>
        (Resolved(package)?["compile"]?.AsObject() ?? []).Select(asset => Path.GetFileNameWithoutExtension(asset.Key));

    private JsonNode? Resolved(string package) =>
        _resolved.FirstOrDefault(p => p.Key.StartsWith(package + "/", StringComparison.OrdinalIgnoreCase)).Value;
}
