namespace Perch.Records.Sqlite;

/// <summary>Times as the tables hold them: microseconds since 1970, UTC.</summary>
internal static class SqliteTime
{
    public static long From(DateTimeOffset time) => (time.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset To(long microseconds) => DateTimeOffset.UnixEpoch.AddTicks(microseconds * TimeSpan.TicksPerMicrosecond);

    /// <summary>The microsecond that is so long before.</summary>
    public static long Before(DateTimeOffset time, TimeSpan age) => From(time) - (age.Ticks / TimeSpan.TicksPerMicrosecond);
}
