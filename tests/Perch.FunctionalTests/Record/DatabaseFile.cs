using SQLitePCL;

namespace Perch.FunctionalTests.Record;

/// <summary>The database's file as another program sees it, while no server has it open.</summary>
internal static class DatabaseFile
{
    /// <returns>The first column of each row, as text.</returns>
    public static List<string> Query(string path, string sql)
    {
        Batteries_V2.Init();
        Assert.Equal(raw.SQLITE_OK, raw.sqlite3_open(path, out var database));
        using (database)
        {
            Assert.Equal(raw.SQLITE_OK, raw.sqlite3_prepare_v2(database, sql, out var statement));
            using (statement)
            {
                var rows = new List<string>();
                while (raw.sqlite3_step(statement) == raw.SQLITE_ROW) rows.Add(raw.sqlite3_column_text(statement, 0).utf8_to_string());
                return rows;
            }
        }
    }
}
