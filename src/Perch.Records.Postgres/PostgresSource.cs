using System.Globalization;
using Npgsql;

namespace Perch.Records.Postgres;

/// <summary>Where the database is, and how connections to it are used.</summary>
internal static class PostgresSource
{
    /// <summary>Connections beside those of the writers: readers, retention, the probe.</summary>
    private const int Others = 8;

    /// <summary>How long a connection may take to be made, where the connection string does not say: soon enough to be back soon.</summary>
    private const int ConnectSeconds = 3;

    /// <summary>
    /// Seconds after which an idle connection is replaced, if the connection string does not say: after a failover behind one host
    /// name, readers leave the old primary within this time even if nothing is written.
    /// </summary>
    private const int LifetimeSeconds = 60;

    /// <returns>What is wrong with a connection string, or null.</returns>
    public static string? Fault(string connectionString)
    {
        try
        {
            var given = new NpgsqlConnectionStringBuilder(connectionString);
            return string.IsNullOrEmpty(given.Host) ? "names no Host" : null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or InvalidCastException or NotSupportedException)
        {
            return $"is not understood: {exception.Message}";
        }
    }

    /// <summary>The server and the database, for people; without user and password.</summary>
    public static string Describe(string connectionString)
    {
        var given = new NpgsqlConnectionStringBuilder(connectionString);
        return string.Create(CultureInfo.InvariantCulture, $"PostgreSQL {given.Host}:{given.Port}/{given.Database ?? given.Username}");
    }

    public static NpgsqlDataSource Create(PostgresOptions options)
    {
        var settings = new NpgsqlConnectionStringBuilder(options.ConnectionString)
        {
            // A session's state is not ours: behind PgBouncer the next transaction may get another one.
            NoResetOnClose = true,
            Multiplexing = false,
            Enlist = false,
            MaxAutoPrepare = 0,
        };
        if (!settings.ShouldSerialize("Application Name")) settings.ApplicationName = "perch";
        if (!settings.ShouldSerialize("Timeout")) settings.Timeout = ConnectSeconds;
        if (!settings.ShouldSerialize("Command Timeout")) settings.CommandTimeout = (int)Math.Ceiling(options.Timeout.TotalSeconds);
        if (!settings.ShouldSerialize("Cancellation Timeout")) settings.CancellationTimeout = 1000;
        if (!settings.ShouldSerialize("Connection Lifetime")) settings.ConnectionLifetime = LifetimeSeconds;
        settings.MaxPoolSize = Math.Max(settings.MinPoolSize, options.Writers + Others);
        return new NpgsqlSlimDataSourceBuilder(settings.ConnectionString).EnableArrays().EnableTransportSecurity().Build();
    }
}
