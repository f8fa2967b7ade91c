using System.ComponentModel.DataAnnotations;

namespace Perch.Records.Postgres;

/// <summary>The keys of <c>Perch:Records</c>, and those of a PostgreSQL store beside them.</summary>
internal sealed class PostgresOptions : RecordsOptions, IValidatableObject
{
    /// <summary>
    /// The database of a PostgreSQL store, such as <c>Host=db;Database=perch;Username=perch;Password=...</c> (Npgsql's
    /// keys). The password may stand in PGPASSWORD or in the file that PGPASSFILE names instead. Default empty.
    /// </summary>
    public string ConnectionString { get; set; } = "";

    /// <summary>How many transactions of a PostgreSQL store run at once, each on its own connection. Default 4.</summary>
    [Range(1, 64)]
    public int Writers { get; set; } = 4;

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (PostgresRegistration.StoreName.Equals(Store, StringComparison.OrdinalIgnoreCase) && PostgresSource.Fault(ConnectionString) is { } fault)
            yield return new($"{fault}, which the store Postgres needs: such as Host=db;Database=perch;Username=perch", [nameof(ConnectionString)]);
    }
}
