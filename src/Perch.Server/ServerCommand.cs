namespace Perch.Server;

/// <summary>What the executable is asked to do.</summary>
internal enum ServerVerb
{
    /// <summary>Serve until a signal comes.</summary>
    Serve,

    /// <summary><c>--check</c>: validate the configuration, print the plan, bind nothing.</summary>
    Check,

    /// <summary><c>--health</c>: ask the running server whether it is ready.</summary>
    Health,
}

/// <summary>The command line: a verb, the content root, the environment, and keys of the configuration.</summary>
internal sealed record ServerCommand(ServerVerb Verb, string ContentRoot, string Environment, string[] ConfigurationArgs)
{
    private static readonly Dictionary<string, ServerVerb> Verbs = new(StringComparer.Ordinal)
    {
        ["--check"] = ServerVerb.Check,
        ["--health"] = ServerVerb.Health,
    };

    public static ServerCommand Parse(string[] args)
    {
        var verb = args.Where(Verbs.ContainsKey).Select(arg => Verbs[arg]).FirstOrDefault();
        var rest = args.Where(arg => !Verbs.ContainsKey(arg)).ToArray();
        var settings = new ConfigurationBuilder().AddEnvironmentVariables("DOTNET_").AddEnvironmentVariables("ASPNETCORE_").AddCommandLine(rest).Build();
        var root = Path.GetFullPath(settings["contentRoot"] ?? Directory.GetCurrentDirectory());
        if (!Directory.Exists(root)) throw new ServerCommandException($"--contentRoot: there is no folder '{root}'. Name the folder that has appsettings.json.");
        return new(verb, root, settings["environment"] ?? Environments.Production, rest);
    }
}

/// <summary>The command line cannot be used.</summary>
internal sealed class ServerCommandException(string message) : Exception(message);
