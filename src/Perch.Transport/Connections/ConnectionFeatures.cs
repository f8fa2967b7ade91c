using System.Collections;
using Microsoft.AspNetCore.Http.Features;

namespace Perch.Transport.Connections;

/// <summary>
/// A connection's features: those that it has by itself, and the few that middleware adds, in an array that has a place for each
/// type that connections set (<see cref="FeatureLayout"/>). What is set wins over what the connection has.
/// </summary>
internal abstract class ConnectionFeatures : Microsoft.AspNetCore.Connections.ConnectionContext, IFeatureCollection
{
    /// <summary>Was set to null: what the connection has by itself is hidden.</summary>
    private static readonly object None = new();

    /// <summary>By the places of their types; null is not set.</summary>
    private object?[] _set = [];
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
        for (var i = 0; i < _set.Length; i++)
        {
            if (_set[i] is { } feature && feature != None) yield return new(Layout.Types[i], feature);
        }

        foreach (var type in OwnTypes)
        {
            if (FindSet(type) is null && FindOwn(type) is { } own) yield return new(type, own);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => ((IEnumerable<KeyValuePair<Type, object>>)this).GetEnumerator();

    /// <summary>The types that <see cref="FindOwn"/> knows.</summary>
    protected abstract IEnumerable<Type> OwnTypes { get; }

    /// <summary>Shared by all connections.</summary>
    protected abstract FeatureLayout Layout { get; }

    /// <returns>The connection's own feature of a type, or null.</returns>
    protected abstract object? FindOwn(Type type);

    private object? Find(Type type)
    {
        var feature = FindSet(type);
        return feature is null ? FindOwn(type) : feature == None ? null : feature;
    }

    private object? FindSet(Type type)
    {
        var (set, place) = (_set, Layout.Find(type));
        return (uint)place < (uint)set.Length ? set[place] : null;
    }

    private void Put(Type type, object? feature)
    {
        _revision++;
        var place = Layout.FindOrAdd(type);
        if (place >= _set.Length) Array.Resize(ref _set, Layout.Types.Length);
        _set[place] = feature ?? None;
    }
}
