using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Npgsql;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>A PostgreSQL cluster of the test's own, on a port of its own, to be killed and started again.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private const int Sigint = 2;
    private const int Sigcont = 18;
    private const int Sigstop = 19;

    private static readonly bool IsRoot = Environment.UserName == "root";

    private readonly string _folder = Directory.CreateTempSubdirectory("perch-postgres-").FullName;
    private Process? _process;
    private int _databases;
    private List<int> _frozen = [];

    public int Port { get; private set; }

    public async Task InitializeAsync()
    {
        if (NeighbourFactAttribute.SkipReason("postgres", Capability.None) is not null) return;
        await GiveAsync(_folder);
        await Neighbour.RunAsync(Program("initdb", out var before), [.. before, "-D", $"{_folder}/data", "-U", "perch", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"], "");
        await StartAsync();
    }

    /// <summary>Starts it, again on the same port, and waits until it answers.</summary>
    public async Task StartAsync()
    {
        if (Port == 0) Port = FreePort();
        var start = new ProcessStartInfo(Program("postgres", out var before),
            [.. before, "-D", $"{_folder}/data", "-p", Port.ToString(CultureInfo.InvariantCulture), "-k", _folder, "-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB"])
        {
            UseShellExecute = false,
            RedirectStandardError = true,
            RedirectStandardOutput = true,
        };
        _process = Process.Start(start)!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        await Poll.UntilAsync(() => AnswersAsync(ConnectionString("postgres")), () => "PostgreSQL answers");
    }

    /// <summary>All of it, with SIGKILL: as when the machine fails.</summary>
    public async Task KillAsync()
    {
        _process!.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
    }

    /// <summary>A fast shutdown: sessions are ended, and what they had not committed is undone.</summary>
    public async Task StopAsync()
    {
        ServerProcess.Signal(_process!.Id, Sigint);
        await _process.WaitForExitAsync();
    }

    /// <summary>All of its processes stand still until <see cref="Resume"/>; the kernel goes on to take what is sent to them.</summary>
    public void Freeze()
    {
        // The first of them comes first: it starts no more. Of the others one may just have ended.
        ServerProcess.Signal(_process!.Id, Sigstop);
        var children = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{_process.Id}/task/{_process.Id}/children"));
        _frozen = [.. children.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(child => int.Parse(child, CultureInfo.InvariantCulture)).Where(child => ServerProcess.TrySignal(child, Sigstop))];
    }

    public void Resume()
    {
        foreach (var child in _frozen) ServerProcess.Signal(child, Sigcont);
        ServerProcess.Signal(_process!.Id, Sigcont);
    }

    /// <summary>The connection string of a new, empty database.</summary>
    public async Task<string> NewDatabaseAsync()
    {
        var name = $"perch{Interlocked.Increment(ref _databases)}";
        await ExecuteAsync(ConnectionString("postgres"), $"CREATE DATABASE {name}");
        return ConnectionString(name);
    }

    public string ConnectionString(string database) => string.Create(CultureInfo.InvariantCulture, $"Host=127.0.0.1;Port={Port};Username=perch;Database={database}");

    public static async Task ExecuteAsync(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(Unpooled(connectionString));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }

    /// <returns>The first column of every row.</returns>
    public static async Task<IReadOnlyList<T>> QueryAsync<T>(string connectionString, string sql)
    {
        await using var connection = new NpgsqlConnection(Unpooled(connectionString));
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await using var reader = await command.ExecuteReaderAsync();
        var values = new List<T>();
        while (await reader.ReadAsync()) values.Add(reader.GetFieldValue<T>(0));
        return values;
    }

    public static async Task<bool> AnswersAsync(string connectionString)
    {
        try
        {
            await ExecuteAsync(connectionString, "SELECT 1");
            return true;
        }
        catch (NpgsqlException)
        {
            return false;
        }
    }

    public async Task DisposeAsync()
    {
        if (_process is { HasExited: false }) await KillAsync();
        _process?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static string Unpooled(string connectionString) => $"{connectionString};Pooling=false";

    /// <summary>Makes a folder theirs who run the programs.</summary>
    internal static Task GiveAsync(string folder) => IsRoot ? Neighbour.RunAsync("chown", ["postgres", folder], "") : Task.CompletedTask;

    /// <summary>A program that refuses to run as root.</summary>
    internal static string Program(string name, out string[] before)
    {
        before = IsRoot ? ["--reuid=postgres", "--regid=postgres", "--init-groups", name] : [];
        return IsRoot ? "setpriv" : name;
    }

    internal static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
