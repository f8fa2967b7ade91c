namespace Perch.Records.Postgres;

/// <summary>Adds PostgreSQL as a store of records.</summary>
public static class PostgresRegistration
{
    /// <summary>The name for <c>Perch:Records:Store</c>.</summary>
    public const string StoreName = "Postgres";

    /// <summary>Adds the store <see cref="StoreName"/>, which several processes can share.</summary>
    /// <param name="builder">The builder, with records (<see cref="RecordRegistration.AddRecords"/>).</param>
    /// <returns>The builder.</returns>
    public static PerchBuilder AddPostgresRecords(this PerchBuilder builder) => builder.AddRecordStore<PostgresRecordStore, PostgresOptions>(StoreName);
}
