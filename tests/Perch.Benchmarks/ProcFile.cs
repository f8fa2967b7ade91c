using System.Globalization;

namespace Perch.Benchmarks;

/// <summary>Numbers out of files of <c>/proc</c>.</summary>
internal static class ProcFile
{
    /// <param name="path">The file.</param>
    /// <param name="label">How the line begins.</param>
    /// <param name="column">Which of the numbers behind it, from 0.</param>
    /// <returns>The number behind the label, as it stands there; <c>unlimited</c> is the greatest.</returns>
    public static long Number(string path, string label, int column = 0)
    {
        var line = File.ReadLines(path).First(one => one.StartsWith(label, StringComparison.Ordinal));
        var word = line[label.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[column];
        return word == "unlimited" ? long.MaxValue : long.Parse(word, CultureInfo.InvariantCulture);
    }
}
