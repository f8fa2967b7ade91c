namespace Perch.Files;

/// <summary>A set of entity tags: the SHA-256 of files, or <c>*</c>, which every file matches.</summary>
/// <param name="IsAny"><c>*</c>.</param>
/// <param name="Hashes">Lower-case hexadecimal digits.</param>
internal sealed record FileTags(bool IsAny, IReadOnlyList<string> Hashes)
{
    /// <summary>True if the file exists and the set has its tag.</summary>
    public bool Contains(StoredFile? file) => file is not null && (IsAny || Hashes.Contains(file.Sha256));
}
