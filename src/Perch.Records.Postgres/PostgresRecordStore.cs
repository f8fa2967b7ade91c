using System.Runtime.CompilerServices;
using Microsoft.Extensions.Logging;
using Npgsql;
using Perch.Stores;
using Polly;
using Polly.Retry;
using Polly.Timeout;

namespace Perch.Records.Postgres;

/// <summary>
/// Records in PostgreSQL, which several processes may share. A record is stored when its transaction is committed with
/// <c>synchronous_commit</c> on; where the server has it off, it is on for ours. Several transactions store at once.
/// </summary>
/// <remarks>
/// A transaction that loses its connection, or meets another one, is tried again until <c>Perch:Records:Timeout</c>, and
/// stored once (<see cref="PostgresAppender"/>). Nothing is kept in a session, so PgBouncer may pool transactions.
/// </remarks>
internal sealed partial class PostgresRecordStore : IRecordStore
{
    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan LongestRetry = TimeSpan.FromSeconds(1);

    private readonly PostgresOptions _options;
    private readonly ILogger<PostgresRecordStore> _logger;
    private readonly string _server;
    private readonly NpgsqlDataSource _source;
    private readonly PostgresReader _reader;
    private readonly PostgresTrimmer _trimmer;
    private readonly ResiliencePipeline _retry;

    /// <summary>Nothing is connected to yet.</summary>
    public PostgresRecordStore(PostgresOptions options, TimeProvider time, ILogger<PostgresRecordStore> logger)
    {
        (_options, _logger, _server) = (options, logger, PostgresSource.Describe(options.ConnectionString));
        _source = PostgresSource.Create(options);
        _reader = new(_source, SinceSlack);
        _trimmer = new(options, RetentionClock.OfServer(time, logger));
        _retry = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddTimeout(options.Timeout)
            .AddRetry(new RetryStrategyOptions
            {
                ShouldHandle = new PredicateBuilder().Handle<Exception>(PostgresFailure.IsTransient),
                MaxRetryAttempts = int.MaxValue,
                BackoffType = DelayBackoffType.Exponential,
                UseJitter = true,
                Delay = FirstRetry,
                MaxDelay = LongestRetry,
                OnRetry = OnRetry,
            })
            .Build();
    }

    public int Writers => _options.Writers;

    public bool IsShared => true;

    /// <summary>Records are stored in another order than they were received in by no more than they may wait, and clocks are set a little.</summary>
    private TimeSpan SinceSlack => _options.Timeout + TimeSpan.FromMinutes(1);

    public Task OpenAsync(CancellationToken cancellationToken) => UseAsync(
        async connection =>
        {
            await VerifyAsync(connection, cancellationToken);
            var from = await PostgresSchema.MigrateAsync(connection, cancellationToken);
            if (from < PostgresSchema.Version) Log.Migrated(_logger, _server, from, PostgresSchema.Version);
            Log.Opened(_logger, _server, connection.ServerVersion);
            return true;
        },
        cancellationToken);

    public async Task AppendAsync(IReadOnlyList<RecordBatch> batches, CancellationToken cancellationToken)
    {
        var appender = new PostgresAppender(batches, _options.DeduplicateWindow);
        await RetryAsync(
            async (connection, cancellation) =>
            {
                await appender.TryAsync(connection, cancellation);
                return 0;
            },
            cancellationToken);
    }

    public Task ProbeAsync(CancellationToken cancellationToken) =>
        UseAsync(connection => connection.ExecuteAsync("UPDATE perch_state SET probed_at = now()", cancellationToken), cancellationToken);

    public Task<int> TrimAsync(int most, CancellationToken cancellationToken) =>
        RetryAsync((connection, cancellation) => _trimmer.TrimAsync(connection, most, cancellation), cancellationToken);

    public async IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var records = _reader.ReadAsync(query, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (await ReadAsync(() => records.MoveNextAsync().AsTask())) yield return records.Current;
    }

    public Task<long> LastIdAsync(CancellationToken cancellationToken) => ReadAsync(() => _reader.StableIdAsync(cancellationToken));

    public Task<long> LastGivenIdAsync(CancellationToken cancellationToken) =>
        NumberAsync("SELECT last_value FROM perch_ids", cancellationToken);

    /// <summary>The two tables that grow, with their indexes.</summary>
    public async Task<long?> SizeAsync(CancellationToken cancellationToken) =>
        await NumberAsync("SELECT pg_total_relation_size('logs') + pg_total_relation_size('perch_senders')", cancellationToken);

    public Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken) => ReadAsync(() => _reader.FindAsync(id, cancellationToken));

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    /// <summary>What would lose records, or cannot hold them, is said before the first one comes.</summary>
    private async Task VerifyAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        if (await connection.ScalarAsync<string>("SHOW server_encoding", cancellationToken) is var encoding && encoding != "UTF8")
            throw new RecordStoreException("unavailable", $"{_server} keeps text as {encoding}. Create the database with ENCODING 'UTF8'.");
        if (await connection.ScalarAsync<string>("SHOW fsync", cancellationToken) == "off") Log.NotSynced(_logger, _server);
    }

    /// <summary>Again and again, until it is done or its time is over: a server that is restarted need not be noticed.</summary>
    private async Task<T> RetryAsync<T>(Func<NpgsqlConnection, CancellationToken, Task<T>> use, CancellationToken cancellationToken)
    {
        Exception? last = null;
        try
        {
            return await _retry.ExecuteAsync(
                async cancellation =>
                {
                    try
                    {
                        await using var connection = await _source.OpenConnectionAsync(cancellation);
                        return await use(connection, cancellation);
                    }
                    catch (Exception exception) when (exception is not OperationCanceledException)
                    {
                        last = exception;
                        if (PostgresFailure.IsOfServer(exception))
                            _source.Clear();
                        throw;
                    }
                },
                cancellationToken);
        }
        catch (TimeoutRejectedException)
        {
            _source.Clear();
            throw last is null
                ? new RecordStoreException("unavailable", $"{_server} has not answered within {_options.Timeout.TotalSeconds:0.#} s. See whether it, or the network to it, hangs.")
                : PostgresFailure.From(_server, last);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            throw PostgresFailure.From(_server, exception);
        }
    }

    /// <summary>
    /// For the start and the probe. After a failure the next use makes a new connection: a pooled one stays on the server that
    /// the name meant before a failover, and a demoted server keeps it open.
    /// </summary>
    private async Task<T> UseAsync<T>(Func<NpgsqlConnection, Task<T>> use, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await _source.OpenConnectionAsync(cancellationToken);
            return await use(connection);
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            _source.Clear();
            throw PostgresFailure.From(_server, exception);
        }
    }

    private Task<long> NumberAsync(string sql, CancellationToken cancellationToken) => ReadAsync(async () =>
    {
        await using var connection = await _source.OpenConnectionAsync(cancellationToken);
        return await connection.ScalarAsync<long>(sql, cancellationToken);
    });

    private async Task<T> ReadAsync<T>(Func<Task<T>> read)
    {
        try
        {
            return await read();
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            if (PostgresFailure.IsOfServer(exception))
                _source.Clear();
            throw PostgresFailure.From(_server, exception);
        }
    }

    private ValueTask OnRetry(OnRetryArguments<object> attempt)
    {
        if (attempt is { AttemptNumber: 0, Outcome.Exception: { } exception }) Log.Retrying(_logger, PostgresFailure.From(_server, exception).Message);
        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(4410, LogLevel.Information, "{Server} ({Version}) keeps the records", EventName = "PostgresOpened")]
        public static partial void Opened(ILogger logger, string server, string version);

        [LoggerMessage(4411, LogLevel.Information, "{Server}: the tables were brought from version {From} to {To}", EventName = "PostgresMigrated")]
        public static partial void Migrated(ILogger logger, string server, int from, int to);

        [LoggerMessage(4412, LogLevel.Warning, "{Server} has fsync off: what it acknowledges is lost when its machine crashes", EventName = "PostgresNotSynced")]
        public static partial void NotSynced(ILogger logger, string server);

        [LoggerMessage(4413, LogLevel.Warning, "A transaction is tried again: {Problem}", EventName = "PostgresTransactionRetried")]
        public static partial void Retrying(ILogger logger, string problem);
    }
}
