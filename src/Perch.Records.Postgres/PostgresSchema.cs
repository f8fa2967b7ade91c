using Npgsql;

namespace Perch.Records.Postgres;

/// <summary>
/// The tables and functions, made in the first schema of the connection's search path. The version is in <c>perch_state</c>.
/// </summary>
/// <remarks>
/// Several transactions store at once, and the one that took its ids first need not end first. A reader that goes on
/// behind the highest id it saw would miss what appears below. So a transaction holds an advisory lock, whose key has the
/// last id that was given before its own, for as long as it runs, and <c>perch_stable()</c> is the id up to which no more
/// can appear. Locks of transactions and not of sessions, so that all of it works through PgBouncer.
/// </remarks>
internal static class PostgresSchema
{
    public const int Version = 1;

    /// <summary>Held while the tables are made. "Prch" and a number.</summary>
    private const long MigrationLock = 0x5072_6368_0000_0001;

    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE logs (
            id bigint PRIMARY KEY,
            received_at timestamptz NOT NULL,
            endpoint text NOT NULL,
            remote text NOT NULL,
            data text NOT NULL,
            raw bytea -- the exact bytes where data could not hold them
        );

        CREATE SEQUENCE perch_ids MINVALUE 0;
        SELECT nextval('perch_ids');

        -- The keys of records. What is past the window is at the front of their ids.
        CREATE TABLE perch_senders (
            sender text COLLATE "C" NOT NULL,
            sequence bigint NOT NULL,
            id bigint NOT NULL UNIQUE,
            received_at timestamptz NOT NULL,
            PRIMARY KEY (sender, sequence)
        );

        -- The transactions of late: whether one is here tells a writer that lost its connection in the commit what became of it.
        CREATE TABLE perch_batches (id uuid PRIMARY KEY, stored_at timestamptz NOT NULL DEFAULT now());

        -- One row. There are counted_rows records up to the id counted_to.
        CREATE TABLE perch_state (version integer NOT NULL, probed_at timestamptz, counted_to bigint NOT NULL, counted_rows bigint NOT NULL);
        INSERT INTO perch_state VALUES (1, NULL, 0, 0);

        CREATE FUNCTION perch_uncount() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE perch_state SET counted_rows = counted_rows - (SELECT count(*) FROM gone WHERE id <= counted_to) WHERE counted_rows > 0;
            RETURN NULL;
        END $$;
        CREATE TRIGGER perch_uncount AFTER DELETE ON logs REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION perch_uncount();

        CREATE FUNCTION perch_uncount_all() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            UPDATE perch_state SET counted_rows = 0;
            RETURN NULL;
        END $$;
        CREATE TRIGGER perch_uncount_all AFTER TRUNCATE ON logs FOR EACH STATEMENT EXECUTE FUNCTION perch_uncount_all();

        -- What the keys of our locks begin with: the upper 16 of 64 bits, positive, another one for each schema.
        CREATE FUNCTION perch_lock_space() RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT 'logs'::regclass::oid::bigint & 32767 $$;

        -- Begins to store so many records: their ids, ascending; null where the batch is stored already.
        CREATE FUNCTION perch_begin(batch uuid, records integer) RETURNS bigint[] LANGUAGE plpgsql AS $$
        BEGIN
            -- Waits for a transaction of the same batch whose writer has lost it.
            INSERT INTO perch_batches (id) VALUES (batch) ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                RETURN NULL;
            END IF;
            IF current_setting('synchronous_commit') = 'off' THEN
                PERFORM set_config('synchronous_commit', 'on', true);
            END IF;
            PERFORM pg_advisory_xact_lock_shared((perch_lock_space() << 48) | (SELECT last_value FROM perch_ids));
            RETURN ARRAY(SELECT nextval('perch_ids') FROM generate_series(1, records));
        END $$;

        -- Gives each key to the record of that id, unless another has it that is no older than the window: then it is that one's.
        CREATE FUNCTION perch_claim(senders text[], sequences bigint[], ids bigint[], times timestamptz[], time_window interval) RETURNS bigint[] LANGUAGE plpgsql AS $$
        BEGIN
            -- In one order for all, so that two transactions with the same keys wait for each other one way only.
            INSERT INTO perch_senders AS known (sender, sequence, id, received_at)
            SELECT DISTINCT ON (given.sender COLLATE "C", given.sequence) given.sender, given.sequence, given.id, given.received_at
              FROM unnest(senders, sequences, ids, times) AS given (sender, sequence, id, received_at)
             ORDER BY given.sender COLLATE "C", given.sequence, given.id
                ON CONFLICT (sender, sequence) DO UPDATE SET id = excluded.id, received_at = excluded.received_at
             WHERE known.received_at < excluded.received_at - time_window;
            RETURN ARRAY(
                SELECT known.id
                  FROM unnest(senders, sequences) WITH ORDINALITY AS given (sender, sequence, place)
                  JOIN perch_senders known ON known.sender = given.sender AND known.sequence = given.sequence
                 ORDER BY given.place);
        END $$;

        -- The id up to which every record that there will be is there. What is given is read first: who takes a lock behind
        -- our look at the locks takes its ids behind it too.
        CREATE FUNCTION perch_stable() RETURNS bigint LANGUAGE plpgsql AS $$
        DECLARE
            given bigint;
            lowest bigint;
        BEGIN
            SELECT last_value INTO given FROM perch_ids;
            SELECT min((classid::bigint & 65535) << 32 | objid::bigint) INTO lowest
              FROM pg_locks
             WHERE locktype = 'advisory' AND objsubid = 1 AND granted AND classid::bigint >> 16 = perch_lock_space()
               AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
            RETURN least(given, lowest);
        END $$;

        -- An id before every record of this time or later, found by halving: ids ascend as times do, but for the time that a
        -- record may wait, so there is no index to keep.
        CREATE FUNCTION perch_before(since timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
        DECLARE
            low bigint := (SELECT coalesce(min(id), 1) - 1 FROM logs);
            high bigint := (SELECT coalesce(max(id), 0) FROM logs);
            middle bigint;
            time timestamptz;
        BEGIN
            WHILE low < high LOOP
                middle := low + (high - low + 1) / 2;
                SELECT received_at INTO time FROM logs WHERE id >= middle ORDER BY id LIMIT 1;
                IF time < since THEN
                    low := middle;
                ELSE
                    high := middle - 1;
                END IF;
            END LOOP;
            RETURN low;
        END $$;
        """,
    ];

    /// <summary>Makes what is missing. A role that may not create tables can use those that are there.</summary>
    /// <returns>The version that it had; 0 where there was nothing.</returns>
    public static async Task<int> MigrateAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        var version = await VersionAsync(connection, cancellationToken);
        if (version == Version) return version;
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await connection.ExecuteAsync($"SELECT pg_advisory_xact_lock({MigrationLock})", cancellationToken);
        // Another process may have done it while this one waited for the lock.
        version = await VersionAsync(connection, cancellationToken);
        for (var next = version; next < Version; next++) await connection.ExecuteAsync(Migrations[next], cancellationToken);
        await connection.ExecuteAsync($"UPDATE perch_state SET version = {Version}", cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return version;
    }

    private static async Task<int> VersionAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        // Not to_regclass: in a transaction it does not see what another one has made meanwhile.
        if (!await connection.ScalarAsync<bool>("SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'perch_state' AND pg_table_is_visible(oid))", cancellationToken)) return 0;
        var version = await connection.ScalarAsync<int>("SELECT version FROM perch_state", cancellationToken);
        return version <= Version
            ? version
            : throw new RecordStoreException("unavailable", $"{connection.Database} has version {version} of the tables, this program knows {Version}. Use the newer program, or another schema or database in Perch:Records:ConnectionString.");
    }
}
