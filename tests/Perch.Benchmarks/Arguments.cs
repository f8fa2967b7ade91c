using System.Globalization;

namespace Perch.Benchmarks;

/// <summary>Options of the command line, each a name and a value.</summary>
internal sealed class Arguments
{
    private readonly Dictionary<string, string> _values;

    /// <param name="words">What follows the verb.</param>
    /// <param name="known">The options that it has.</param>
    /// <exception cref="FormatException">One is unknown, twice there, or has no value.</exception>
    public Arguments(IReadOnlyList<string> words, params string[] known)
    {
        _values = words.Chunk(2).ToDictionary(pair => pair[0], pair => pair.Length == 2 ? pair[1] : throw new FormatException($"{pair[0]} has no value."), StringComparer.Ordinal);
        if (_values.Keys.Except(known).FirstOrDefault() is { } unknown) throw new FormatException($"{unknown} is none of {string.Join(", ", known)}.");
    }

    public int Integer(string name, int otherwise) => _values.TryGetValue(name, out var value) ? int.Parse(value, CultureInfo.InvariantCulture) : otherwise;

    public TimeSpan Seconds(string name, double otherwise) =>
        TimeSpan.FromSeconds(_values.TryGetValue(name, out var value) ? double.Parse(value, CultureInfo.InvariantCulture) : otherwise);

    /// <exception cref="FormatException">One of the list is unknown.</exception>
    public IReadOnlyList<string> List(string name, IReadOnlyList<string> otherwise, IEnumerable<string> known)
    {
        var list = _values.TryGetValue(name, out var value) ? value.Split(',') : otherwise;
        return list.Except(known).FirstOrDefault() is { } unknown ? throw new FormatException($"{unknown} is none of {string.Join(", ", known)}.") : list;
    }
}
