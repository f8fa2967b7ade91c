using System.Diagnostics.CodeAnalysis;
using Npgsql;

namespace Perch.Records.Postgres;

/// <summary>Commands of one line.</summary>
internal static class NpgsqlConnectionExtensions
{
    /// <returns>How many rows it changed.</returns>
    public static async Task<int> ExecuteAsync(this NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object?[] parameters)
    {
        await using var command = connection.Command(sql, parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <returns>The first column of the first row; the default where it is null, or there is none.</returns>
    public static async Task<T?> ScalarAsync<T>(this NpgsqlConnection connection, string sql, CancellationToken cancellationToken, params object?[] parameters)
    {
        await using var command = connection.Command(sql, parameters);
        return await command.ExecuteScalarAsync(cancellationToken) is T value ? value : default;
    }

    /// <param name="connection">To run it on.</param>
    /// <param name="sql">With <c>$1</c> for the first of the parameters. A constant: what a peer sent is a parameter.</param>
    /// <param name="parameters">Their values.</param>
    [SuppressMessage("Security", "CA2100:Review SQL queries for security vulnerabilities", Justification = "The texts are constants.")]
    public static NpgsqlCommand Command(this NpgsqlConnection connection, string sql, params ReadOnlySpan<object?> parameters)
    {
        var command = new NpgsqlCommand(sql, connection);
        foreach (var parameter in parameters) command.Parameters.Add(new() { Value = parameter ?? DBNull.Value });
        return command;
    }
}
