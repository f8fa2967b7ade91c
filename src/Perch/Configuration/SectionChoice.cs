namespace Perch.Configuration;

/// <summary>A word that a key of a section can have.</summary>
/// <param name="Section">The section's name under <c>Perch</c>.</param>
/// <param name="Key">The key.</param>
/// <param name="Word">The word, in any case.</param>
internal sealed record SectionChoice(string Section, string Key, string Word);
