using System.Collections;

namespace Perch.Connections;

/// <summary>The connection, its endpoint and its peer on every log line that is written while the connection is served.</summary>
internal sealed class ConnectionLogScope(ConnectionState connection) : IReadOnlyList<KeyValuePair<string, object?>>
{
    public int Count => 3;

    public KeyValuePair<string, object?> this[int index] => index switch
    {
        0 => new("ConnectionId", connection.Id),
        1 => new("Endpoint", connection.Traffic.Endpoint),
        2 => new("Peer", connection.Peer),
        _ => throw new ArgumentOutOfRangeException(nameof(index)),
    };

    public IEnumerator<KeyValuePair<string, object?>> GetEnumerator()
    {
        for (var i = 0; i < Count; i++) yield return this[i];
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    public override string ToString() => $"{connection.Traffic.Endpoint} {connection.Id} {connection.Peer}";
}
