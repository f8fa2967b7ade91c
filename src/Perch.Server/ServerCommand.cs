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

    /// <summary><c>--verify-files</c>: compare every stored file with its hash.</summary>
    VerifyFiles,

    /// <summary><c>--backup</c>: copy the database of the records.</summary>
    Backup,

    /// <summary><c>--help</c>.</summary>
    Help,
}

/// <summary>The command line: a verb, the content root, the environment, and keys of the configuration.</summary>
/// <param name="Verb">What to do.</param>
/// <param name="ContentRoot">Full path.</param>
/// <param name="Environment">Name of the environment.</param>
/// <param name="ConfigurationArgs">The arguments that set keys.</param>
/// <param name="BackupTarget">Full path of the copy, if <paramref name="Verb"/> is <see cref="ServerVerb.Backup"/>.</param>
internal sealed record ServerCommand(
    ServerVerb Verb, string ContentRoot, string Environment, string[] ConfigurationArgs, string? BackupTarget = null)
{
    private const string Backup = "--backup";

    private const string Usage = """
        perch-server [--check | --health | --verify-files | --backup FILE | --help] [--contentRoot FOLDER] [--environment NAME] [--SECTION:KEY=VALUE ...]
          (nothing)      serve the endpoints of appsettings.json until SIGTERM, SIGINT or SIGQUIT; SIGHUP reads it again
          --check        validate the configuration and print the plan; bind nothing
          --health       ask the server that runs on this machine whether it is ready
          --verify-files read every stored file and compare it with its hash; the server may run meanwhile
          --backup FILE  copy the database of the records (SQLite) to a new file; the server may run meanwhile
          --contentRoot  the folder that has appsettings.json (default: the current one, else the executable's)
          --environment  the name of the file that is laid over it, appsettings.NAME.json (default: Production)
          --SECTION:KEY  sets one key of the configuration, for example --Perch:Endpoints:echo:Port=26000
        Exit codes: 0 stopped, valid, ready or whole; 1 failed; 2 the configuration or the command line has faults; 128 and the
        number of the second signal.
        """;

    private static readonly Dictionary<string, ServerVerb> Verbs = new(StringComparer.Ordinal)
    {
        ["--check"] = ServerVerb.Check,
        ["--health"] = ServerVerb.Health,
        ["--verify-files"] = ServerVerb.VerifyFiles,
        ["--help"] = ServerVerb.Help,
        ["-h"] = ServerVerb.Help,
    };

    private static readonly string[] Settings = ["contentRoot", "environment"];

    /// <exception cref="ServerCommandException">An argument is not known, or the content root is not there.</exception>
    public static ServerCommand Parse(string[] args)
    {
        var backup = TakeBackup(ref args);
        var verb = backup is not null ? ServerVerb.Backup : args.Where(Verbs.ContainsKey).Select(arg => Verbs[arg]).FirstOrDefault();
        var rest = args.Where(arg => !Verbs.ContainsKey(arg)).ToArray();
        RefuseUnknown(rest);
        var settings = new ConfigurationBuilder().AddEnvironmentVariables("DOTNET_").AddEnvironmentVariables("ASPNETCORE_").AddCommandLine(rest).Build();
        var root = Path.GetFullPath(settings["contentRoot"] ?? Directory.GetCurrentDirectory());
        if (!Directory.Exists(root)) throw new ServerCommandException($"--contentRoot: there is no folder '{root}'. Name the folder that has appsettings.json.");
        return new(verb, root, settings["environment"] ?? Environments.Production, rest, backup);
    }

    public static async Task<int> PrintHelpAsync()
    {
        await Console.Out.WriteLineAsync(Usage);
        return ExitCode.Stopped;
    }

    /// <summary>Removes <c>--backup FILE</c> or <c>--backup=FILE</c> from the arguments.</summary>
    private static string? TakeBackup(ref string[] args)
    {
        var at = Array.FindIndex(args, arg => arg == Backup || arg.StartsWith(Backup + "=", StringComparison.Ordinal));
        if (at < 0)
            return null;
        var isPair = args[at] == Backup;
        var target = !isPair ? args[at][(Backup.Length + 1)..] : at + 1 < args.Length ? args[at + 1] : "";
        if (target.Length == 0 || target.StartsWith("--", StringComparison.Ordinal))
            throw new ServerCommandException("'--backup' has no file. Write --backup FILE.");
        args = [.. args[..at], .. args[(at + (isPair ? 2 : 1))..]];
        return Path.GetFullPath(target);
    }

    /// <remarks>The framework's parser skips what it does not understand, and a mistyped --check would serve.</remarks>
    private static void RefuseUnknown(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var (key, hasValue) = args[i].Split('=', 2) is { Length: 2 } pair ? (pair[0], true) : (args[i], false);
            var name = key.TrimStart('-');
            var isKnown = name.Contains(':', StringComparison.Ordinal) || (key.StartsWith("--", StringComparison.Ordinal) && Settings.Contains(name, StringComparer.OrdinalIgnoreCase));
            if (!isKnown) throw new ServerCommandException($"'{args[i]}' is not a known argument. --help lists them.");
            if (!hasValue && ++i == args.Length) throw new ServerCommandException($"'{key}' has no value. Write {key}=VALUE.");
        }
    }
}

/// <summary>The command line cannot be used.</summary>
internal sealed class ServerCommandException(string message) : Exception(message);
