using System.Globalization;

namespace Perch.Files;

/// <summary>How answers say what a file is.</summary>
internal static class FileText
{
    /// <summary>RFC 3339, in UTC.</summary>
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    /// <summary>The line of <c>STAT</c>.</summary>
    public static string Describe(StoredFile file) => string.Create(CultureInfo.InvariantCulture, $"{file.Length} sha256={file.Sha256} modified={Time(file.Modified)}");

    /// <summary>A line of <c>LIST</c>.</summary>
    public static string Line(StoredFile file) => string.Create(CultureInfo.InvariantCulture, $"{file.Length} {file.Sha256} {Time(file.Modified)} {file.Name}");
}
