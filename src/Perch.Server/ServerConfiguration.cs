using Microsoft.Extensions.FileProviders;

namespace Perch.Server;

/// <summary>The layers of the configuration, the later over the earlier: file, environment's file, environment variables, command line.</summary>
internal static class ServerConfiguration
{
    private const string FileName = "appsettings.json";

    /// <exception cref="ServerCommandException">There is no appsettings.json.</exception>
    public static void AddServerLayers(this ConfigurationManager configuration, ServerCommand command)
    {
        var folder = new[] { command.ContentRoot, AppContext.BaseDirectory }.FirstOrDefault(f => File.Exists(Path.Combine(f, FileName)))
            ?? throw new ServerCommandException($"there is no {FileName} in '{command.ContentRoot}' or beside the executable. Name the folder that has it with --contentRoot.");
        var files = new PhysicalFileProvider(folder);
        // Perch's own watcher reads the files again; the framework's misses what Kubernetes does.
        configuration.AddJsonFile(files, FileName, optional: false, reloadOnChange: false);
        configuration.AddJsonFile(files, $"appsettings.{command.Environment}.json", optional: true, reloadOnChange: false);
        configuration.AddEnvironmentVariables();
        configuration.AddCommandLine(command.ConfigurationArgs);
    }
}
