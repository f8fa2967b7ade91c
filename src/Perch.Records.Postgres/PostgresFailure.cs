using System.Net.Sockets;
using Npgsql;

namespace Perch.Records.Postgres;

/// <summary>What a failure means to a sender, and to the operator with the cure.</summary>
internal static class PostgresFailure
{
    /// <summary>
    /// SQLSTATE classes of <see cref="IsOfServer"/>: connection exception, invalid transaction state (a standby's 25006), insufficient
    /// resources, object not in prerequisite state, operator intervention, system error, configuration file error, internal error.
    /// </summary>
    private static readonly string[] ServerClasses = ["08", "25", "53", "55", "57", "58", "F0", "XX"];

    /// <param name="server">The server and the database, without the password.</param>
    /// <param name="exception">What the library threw.</param>
    public static RecordStoreException From(string server, Exception exception)
    {
        if (exception is RecordStoreException known) return known;
        if (exception is PostgresException error)
        {
            var (code, cure) = Explain(error.SqlState);
            return new(code, $"{server}: {error.MessageText} (SQLSTATE {error.SqlState}). {cure}", exception);
        }

        return new("unavailable", $"{server} cannot be reached: {Innermost(exception).Message}. Start it, or correct Perch:Records:ConnectionString.", exception);
    }

    /// <summary>Whether the next try may go better: the connection was lost, the server restarts, or two transactions met.</summary>
    public static bool IsTransient(Exception exception) => exception switch
    {
        PostgresException { SqlState: PostgresErrorCodes.DiskFull } => false,
        NpgsqlException npgsql => npgsql.IsTransient || npgsql.InnerException is IOException or SocketException or TimeoutException,
        _ => exception is IOException or SocketException or TimeoutException,
    };

    /// <summary>
    /// Whether the server's state is the cause, so that another server, to which the name may have moved, may store: the connection
    /// works, and must not be used again. Errors of one statement and of transactions that met are not.
    /// </summary>
    public static bool IsOfServer(Exception exception) =>
        exception is PostgresException { SqlState: not PostgresErrorCodes.QueryCanceled and var state }
        && ServerClasses.Contains(state[..2], StringComparer.Ordinal);

    /// <summary>PostgreSQL's documentation, appendix A.</summary>
    private static (string Code, string Cure) Explain(string state) => state switch
    {
        PostgresErrorCodes.DiskFull => ("full", "The server's disk has no room; free some, or shorten Perch:Records:Retention."),
        PostgresErrorCodes.ReadOnlySqlTransaction => ("read-only", "It is a standby, or default_transaction_read_only is on; name the primary in Perch:Records:ConnectionString."),
        PostgresErrorCodes.InsufficientPrivilege => ("read-only", "Grant the role what it lacks on the schema and its tables, or let it create them (GRANT CREATE ON SCHEMA)."),
        PostgresErrorCodes.InvalidPassword or PostgresErrorCodes.InvalidAuthorizationSpecification => ("unavailable", "Correct user and password in Perch:Records:ConnectionString, or the server's pg_hba.conf."),
        PostgresErrorCodes.InvalidCatalogName => ("unavailable", "Create the database, or correct Perch:Records:ConnectionString."),
        PostgresErrorCodes.DuplicateTable or PostgresErrorCodes.DuplicateFunction or PostgresErrorCodes.DuplicateObject => ("unavailable", "The schema has tables of another program; name one of Perch's own with 'Search Path' in Perch:Records:ConnectionString."),
        PostgresErrorCodes.UndefinedTable or PostgresErrorCodes.UndefinedFunction or PostgresErrorCodes.UndefinedColumn => ("unavailable", "A part of Perch's tables is gone; restore it, or name another schema with 'Search Path' in Perch:Records:ConnectionString."),
        PostgresErrorCodes.DataCorrupted or PostgresErrorCodes.IndexCorrupted => ("corrupt", "Restore the database from a copy."),
        PostgresErrorCodes.LockNotAvailable or PostgresErrorCodes.QueryCanceled or PostgresErrorCodes.DeadlockDetected => ("busy", "Another session holds what is needed; see pg_locks, and the server's statement_timeout and lock_timeout."),
        PostgresErrorCodes.TooManyConnections => ("unavailable", "Raise the server's max_connections, or lower Perch:Records:Writers."),
        _ => ("unavailable", "See the server's log."),
    };

    private static Exception Innermost(Exception exception) => exception.InnerException is { } inner ? Innermost(inner) : exception;
}
