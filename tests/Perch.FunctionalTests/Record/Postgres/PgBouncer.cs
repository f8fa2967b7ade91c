using System.Globalization;
using Npgsql;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>PgBouncer before a server, in transaction mode, with fewer connections to it than its clients have.</summary>
internal sealed class PgBouncer : IAsyncDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-pgbouncer-");
    private Neighbour? _process;

    private int Port { get; } = PostgresServer.FreePort();

    public static async Task<PgBouncer> StartAsync(PostgresServer server, int connections)
    {
        var bouncer = new PgBouncer();
        var settings = Path.Combine(bouncer._folder.FullName, "pgbouncer.ini");
        var users = Path.Combine(bouncer._folder.FullName, "users.txt");
        await File.WriteAllTextAsync(users, "\"perch\" \"\"\n");
        await File.WriteAllTextAsync(settings, string.Create(CultureInfo.InvariantCulture, $"""
            [databases]
            * = host=127.0.0.1 port={server.Port}
            [pgbouncer]
            listen_addr = 127.0.0.1
            listen_port = {bouncer.Port}
            unix_socket_dir =
            auth_type = trust
            auth_file = {users}
            pool_mode = transaction
            default_pool_size = {connections}
            """));
        await PostgresServer.GiveAsync(bouncer._folder.FullName);
        bouncer._process = Neighbour.Start(PostgresServer.Program("pgbouncer", out var before), [.. before, settings]);
        await Poll.UntilAsync(() => PostgresServer.AnswersAsync(bouncer.Through(server.ConnectionString("postgres"))), () => $"PgBouncer answers: {bouncer._process.Output}");
        return bouncer;
    }

    /// <summary>The same database, by way of this.</summary>
    public string Through(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString) { Port = Port }.ConnectionString;

    public async ValueTask DisposeAsync()
    {
        if (_process is not null) await _process.DisposeAsync();
        _folder.Delete(recursive: true);
    }
}
