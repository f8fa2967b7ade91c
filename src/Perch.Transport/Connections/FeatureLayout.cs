namespace Perch.Transport.Connections;

/// <summary>
/// The types of the features that connections set, each with its place: a connection keeps the features alone. Types are only
/// added, and are as few as the program sets. It is looked through in turn, and without a lock.
/// </summary>
internal sealed class FeatureLayout
{
    private readonly Lock _lock = new();
    private volatile Type[] _types = [];

    /// <summary>By their places.</summary>
    public ReadOnlySpan<Type> Types => _types;

    /// <returns>The type's place; -1 where no connection has set it yet.</returns>
    public int Find(Type type)
    {
        var types = _types;
        for (var i = 0; i < types.Length; i++)
        {
            if (types[i] == type) return i;
        }

        return -1;
    }

    /// <returns>The type's place; it has one from now on.</returns>
    public int FindOrAdd(Type type)
    {
        if (Find(type) is >= 0 and var known) return known;
        lock (_lock)
        {
            if (Find(type) is >= 0 and var added) return added;
            _types = [.. _types, type];
            return _types.Length - 1;
        }
    }
}
