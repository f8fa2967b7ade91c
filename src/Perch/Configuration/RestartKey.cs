namespace Perch.Configuration;

/// <summary>A key, or a section with all keys in it, that is read at start only: a change applies at the next start.</summary>
/// <param name="Prefix">The key or the section, e.g. <c>Perch:Records</c>; with a trailing <c>_</c> every key that begins with it.</param>
/// <param name="Except">A section in it whose changes apply at run time, or null.</param>
internal sealed record RestartKey(string Prefix, string? Except = null)
{
    public bool Covers(string key) => IsWithin(key, Prefix) && !(Except is not null && IsWithin(key, Except));

    private static bool IsWithin(string key, string prefix) =>
        key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase)
        && (key.Length == prefix.Length || prefix.EndsWith('_') || key[prefix.Length] == ':');
}
