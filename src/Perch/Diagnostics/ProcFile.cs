namespace Perch.Diagnostics;

/// <summary>Numbers out of files such as <c>/proc/self/status</c> (proc(5)); Linux only.</summary>
public static class ProcFile
{
    /// <returns>The first number behind the label, or null where there is none.</returns>
    /// <param name="path">The file.</param>
    /// <param name="label">What the line begins with.</param>
    public static long? Field(string path, string label)
    {
        foreach (var line in File.ReadLines(path))
        {
            if (!line.StartsWith(label, StringComparison.Ordinal)) continue;
            var rest = line.AsSpan(label.Length).TrimStart();
            var end = rest.IndexOfAny(' ', '\t');
            return long.TryParse(end < 0 ? rest : rest[..end], out var value) ? value : null;
        }

        return null;
    }
}
