using System.Collections;
using Microsoft.AspNetCore.Http.Features;

namespace Perch.Transport.Connections;

/// <summary>
/// A connection's features: those that it has by itself, and the few that middleware adds, in a small array that is looked
/// through in turn. What is set wins over what the connection has.
/// </summary>
internal abstract class ConnectionFeatures : Microsoft.AspNetCore.Connections.ConnectionContext, IFeatureCollection
{
    /// <summary>What Kestrel sets, and one or two more.</summary>
    private const int UsualCount = 6;

    private (Type Type, object? Feature)[] _set = [];
    private int _count;
    private int _revision;

    public override IFeatureCollection Features => this;

    bool IFeatureCollection.IsReadOnly => false;

    int IFeatureCollection.Revision => _revision;

    object? IFeatureCollection.this[Type key]
    {
        get => Find(key);
        set => Put(key, value);
    }

    TFeature? IFeatureCollection.Get<TFeature>()
        where TFeature : default => (TFeature?)Find(typeof(TFeature));

    void IFeatureCollection.Set<TFeature>(TFeature? instance)
        where TFeature : default => Put(typeof(TFeature), instance);

    IEnumerator<KeyValuePair<Type, object>> IEnumerable<KeyValuePair<Type, object>>.GetEnumerator()
    {
        for (var i = 0; i < _count; i++)
        {
            if (_set[i].Feature is { } feature) yield return new(_set[i].Type, feature);
        }

        foreach (var type in OwnFeatures)
        {
            if (IndexOf(type) < 0 && FindOwn(type) is { } own) yield return new(type, own);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => ((IEnumerable<KeyValuePair<Type, object>>)this).GetEnumerator();

    /// <summary>The types that <see cref="FindOwn"/> knows.</summary>
    protected abstract ReadOnlySpan<Type> OwnTypes { get; }

    private IEnumerable<Type> OwnFeatures => [.. OwnTypes];

    /// <returns>The connection's own feature of a type, or null.</returns>
    protected abstract object? FindOwn(Type type);

    private object? Find(Type type) => IndexOf(type) is >= 0 and var index ? _set[index].Feature : FindOwn(type);

    private void Put(Type type, object? feature)
    {
        _revision++;
        var index = IndexOf(type);
        if (index < 0)
        {
            if (_count == _set.Length) Array.Resize(ref _set, Math.Max(UsualCount, _count * 2));
            index = _count++;
        }

        _set[index] = (type, feature);
    }

    private int IndexOf(Type type)
    {
        for (var i = 0; i < _count; i++)
        {
            if (_set[i].Type == type) return i;
        }

        return -1;
    }
}
