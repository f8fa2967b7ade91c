using Perch.Records;
using Perch.Records.Sqlite;

namespace Perch.Server;

/// <summary><c>perch-server --backup FILE</c>: a consistent copy of the records. A server may run meanwhile.</summary>
internal static class RecordBackup
{
    public static async Task<int> RunAsync(IServiceProvider services, string target)
    {
        var options = services.GetRequiredService<RecordsOptions>();
        if (!SqliteRecordStore.StoreName.Equals(options.Store, StringComparison.OrdinalIgnoreCase))
        {
            await Console.Error.WriteLineAsync("perch-server: --backup copies a SQLite database. The records are in PostgreSQL: use pg_dump.");
            return ExitCode.Misconfigured;
        }

        var source = Path.GetFullPath(options.Path, services.GetRequiredService<IHostEnvironment>().ContentRootPath);
        try
        {
            var records = SqliteBackup.Copy(source, target);
            await Console.Out.WriteLineAsync($"{records} records in {target}, {new FileInfo(target).Length} bytes.");
            return ExitCode.Stopped;
        }
        catch (RecordStoreException exception)
        {
            await Console.Error.WriteLineAsync($"perch-server: {exception.Message}");
            return ExitCode.Failed;
        }
    }
}
