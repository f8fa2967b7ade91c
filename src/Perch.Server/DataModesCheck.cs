using Perch.Files.Disk;
using Perch.Files.S3;
using Perch.Records;
using Perch.Records.Sqlite;
using Perch.Stores;

namespace Perch.Server;

/// <summary>
/// Reports at the start the data that an earlier version created with the rights of the umask. The rights are not changed: another program
/// may need them. Runs before the stores create anything.
/// </summary>
internal sealed partial class DataModesCheck(RecordsOptions records, S3Options files, IHostEnvironment environment, ILogger<DataModesCheck> logger) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken)
    {
        string[] wider = [.. Paths().Distinct(StringComparer.Ordinal).Where(DataModes.IsWider)];
        if (wider.Length > 0)
            Log.Wide(logger, string.Join(", ", wider), string.Join(' ', wider.Select(path => $"'{path}'")));
        return Task.CompletedTask;
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private IEnumerable<string> Paths()
    {
        if (SqliteRecordStore.StoreName.Equals(records.Store, StringComparison.OrdinalIgnoreCase))
        {
            var database = Full(records.Path);
            foreach (var folder in Above(database)) yield return folder;
            foreach (var suffix in (string[])["", "-wal", "-shm", "-lock"]) yield return database + suffix;
        }

        var isDisk = DiskFileStore.StoreName.Equals(files.Store, StringComparison.OrdinalIgnoreCase);
        var store = Full(isDisk ? files.Path : files.Spool);
        foreach (var folder in Above(store)) yield return folder;
        yield return store;
        if (isDisk) yield return Path.Combine(store, ".perch");
    }

    /// <summary>The folders between the content root and a path, such as <c>data</c>. Those outside belong to the operator.</summary>
    private IEnumerable<string> Above(string path)
    {
        var root = Full(".");
        for (var folder = Path.GetDirectoryName(path); folder?.Length > root.Length && folder.StartsWith(root, StringComparison.Ordinal); folder = Path.GetDirectoryName(folder))
            yield return folder;
    }

    private string Full(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, environment.ContentRootPath));

    private static partial class Log
    {
        [LoggerMessage(4550, LogLevel.Warning, "Other users of this machine can read or change {Paths}: the rights are wider than those of new data (0750, 0640). "
            + "Remove them: chmod -R g-w,o-rwx {Quoted}", EventName = "DataModesWide")]
        public static partial void Wide(ILogger logger, string paths, string quoted);
    }
}
