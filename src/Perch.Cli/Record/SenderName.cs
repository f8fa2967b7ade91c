namespace Perch.Cli.Record;

/// <summary>The name of a sender in the keys of records: 1 to 64 letters, digits, dots, underscores and hyphens.</summary>
internal static class SenderName
{
    private const int MaxLength = 64;

    public static bool IsValid(string name) => name.Length is >= 1 and <= MaxLength && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');
}
