namespace Perch.Benchmarks;

/// <summary>The record endpoint over PostgreSQL against a bare COPY into the same database, in interleaved rounds.</summary>
/// <param name="connectionString">A database of its own: the tables of Perch are made in it.</param>
/// <param name="rounds">How often both are measured.</param>
/// <param name="duration">Of each measurement.</param>
internal sealed class PostgresComparison(string connectionString, int rounds, TimeSpan duration)
{
    private const int CopyRows = 10_000;

    public async Task RunAsync()
    {
        // The server's configuration, which it takes from its environment.
        Environment.SetEnvironmentVariable("Perch__Records__Store", "Postgres");
        Environment.SetEnvironmentVariable("Perch__Records__ConnectionString", connectionString);
        using var server = await ServerProcess.StartAsync("perch-record");
        await using var bare = await BarePostgres.OpenAsync(connectionString);
        RecordComparison.PrintHead();
        await MeasureAsync(server, bare, "50 connections, 256 lines under way each", connections: 50, depth: 256, CopyRows);
        await MeasureAsync(server, bare, "1 connection, a line at a time", connections: 1, depth: 1, rowsOfTransaction: 1);
    }

    private async Task MeasureAsync(ServerProcess server, BarePostgres bare, string name, int connections, int depth, int rowsOfTransaction)
    {
        var (ours, theirs) = (new List<double>(), new List<double>());
        await new RecordLoad(server.EndPoint, connections, depth).RunAsync(TimeSpan.FromSeconds(1));
        await bare.RowsPerSecondAsync(TimeSpan.FromSeconds(1), rowsOfTransaction);
        for (var round = 0; round < rounds; round++)
        {
            ours.Add(await new RecordLoad(server.EndPoint, connections, depth).RunAsync(duration));
            theirs.Add(await bare.RowsPerSecondAsync(duration, rowsOfTransaction));
        }

        RecordComparison.Print($"{name}; bare: COPY of {rowsOfTransaction} rows in a transaction", ours, theirs);
    }
}
