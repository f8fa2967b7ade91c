using System.Collections;

namespace Perch.Datagrams;

/// <summary>Multicast groups in the order of the configuration. Equal if each group is.</summary>
internal sealed class MulticastGroups(IReadOnlyList<MulticastGroup> groups) : IReadOnlyList<MulticastGroup>, IEquatable<MulticastGroups>
{
    public int Count => groups.Count;

    public MulticastGroup this[int index] => groups[index];

    public bool Equals(MulticastGroups? other) => other is not null && this.SequenceEqual(other);

    public override bool Equals(object? obj) => Equals(obj as MulticastGroups);

    public override int GetHashCode() => Count;

    public IEnumerator<MulticastGroup> GetEnumerator() => groups.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
