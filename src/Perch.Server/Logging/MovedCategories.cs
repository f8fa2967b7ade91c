namespace Perch.Server.Logging;

/// <summary>Log categories of earlier versions. An override of one of them has no effect.</summary>
internal static class MovedCategories
{
    private static readonly (string Before, string Now)[] Moved =
    [
        ("Perch.Protocols.Record.Postgres", "Perch.Records.Postgres"),
        ("Perch.Protocols.Record", "Perch.Records"),
        ("Perch.Protocols.Files.S3", "Perch.Files.S3"),
        ("Perch.Protocols.Files", "Perch.Files"),
        ("Perch.Protocols.Tftp", "Perch.Tftp"),
        ("Perch.Protocols.Retention", "Perch.Stores"),
    ];

    /// <returns>The category's name in this version; null if it did not move.</returns>
    public static string? NameNow(string category)
    {
        var (before, now) = Moved.FirstOrDefault(moved => IsWithin(category, moved.Before));
        return before is null ? null : now + category[before.Length..];
    }

    private static bool IsWithin(string category, string parent) =>
        category.StartsWith(parent, StringComparison.OrdinalIgnoreCase) && (category.Length == parent.Length || category[parent.Length] == '.');
}
