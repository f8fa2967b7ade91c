namespace Perch.Records.Sqlite;

/// <summary>The tables, and how a file of an earlier version gets them. The version is in <c>user_version</c>.</summary>
internal static class SqliteSchema
{
    public const int Version = 1;

    /// <summary>"Prch", so that <c>file</c> and we can tell our databases from others.</summary>
    public const int ApplicationId = 0x50726368;

    /// <summary>
    /// The last id that was ever given. Ids are the writer's own, counted on from this within the transaction: that
    /// costs two look-ups a commit, where AUTOINCREMENT costs a look-up and an update a row.
    /// </summary>
    public const string LastId = "SELECT max(coalesce((SELECT max(id) FROM logs), 0), last_id) FROM state";

    private static readonly string[] Migrations =
    [
        """
        CREATE TABLE logs(
            id INTEGER PRIMARY KEY,
            received_at INTEGER NOT NULL, -- microseconds since 1970, UTC
            endpoint TEXT NOT NULL,
            remote TEXT NOT NULL,
            data TEXT NOT NULL,
            raw BLOB);                    -- the exact bytes where data could not hold them

        -- The keys of records, in the order of their ids and so of their time: what is past the window is at the front.
        CREATE TABLE senders(
            id INTEGER PRIMARY KEY,
            sender TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            received_at INTEGER NOT NULL,
            UNIQUE(sender, sequence));

        -- One row. last_id is kept only where the newest record is deleted, by whomever, so that no id is given twice.
        CREATE TABLE state(last_id INTEGER NOT NULL, probed_at INTEGER NOT NULL);
        INSERT INTO state VALUES(0, 0);
        CREATE TRIGGER logs_last_id AFTER DELETE ON logs WHEN old.id > coalesce((SELECT max(id) FROM logs), 0)
        BEGIN
            UPDATE state SET last_id = max(last_id, old.id);
        END;
        """,
    ];

    /// <summary>Refuses what is not ours before anything in it is changed.</summary>
    public static void Verify(SqliteDatabase database)
    {
        var version = database.QueryInt64("PRAGMA user_version");
        var application = database.QueryInt64("PRAGMA application_id");
        var isNew = version == 0 && application == 0 && database.QueryInt64("SELECT count(*) FROM sqlite_master") == 0;
        if (!isNew && application != ApplicationId)
            throw new RecordStoreException("unavailable", $"{database.Path} is a database of another program. Set Perch:Records:Path to another file.");
        if (version > Version)
            throw new RecordStoreException("unavailable", $"{database.Path} has version {version}, this program knows {Version}. Use the newer program, or another file in Perch:Records:Path.");
    }

    /// <returns>The version that it had.</returns>
    public static long Migrate(SqliteDatabase database)
    {
        var version = database.QueryInt64("PRAGMA user_version");
        if (version == Version) return version;
        database.Execute("BEGIN IMMEDIATE");
        try
        {
            // Another process may have done it while this one waited for the lock.
            Verify(database);
            version = database.QueryInt64("PRAGMA user_version");
            for (var next = (int)version; next < Version; next++) database.Execute(Migrations[next]);
            database.Execute($"PRAGMA application_id = {ApplicationId}; PRAGMA user_version = {Version}; COMMIT");
            return version;
        }
        catch
        {
            database.Rollback();
            throw;
        }
    }
}
