namespace Perch.Connections;

/// <summary>
/// The live connections of an endpoint, each of which knows its place, without gaps: adding and removing one touches no other but
/// the last. Changed under its owner's lock.
/// </summary>
internal sealed class LiveConnections
{
    private const int LeastPlaces = 16;

    private ConnectionState?[] _places = new ConnectionState?[LeastPlaces];

    public int Count { get; private set; }

    public void Add(ConnectionState connection)
    {
        if (Count == _places.Length) Resize(Count * 2);
        _places[Count] = connection;
        connection.Place = Count++;
    }

    /// <returns>False where it is not among them.</returns>
    public bool Remove(ConnectionState connection)
    {
        if (connection.Place < 0) return false;
        var last = _places[--Count]!;
        (_places[connection.Place], last.Place) = (last, connection.Place);
        _places[Count] = null;
        connection.Place = -1;
        if (_places.Length > LeastPlaces && Count < _places.Length / 4) Resize(_places.Length / 2);
        return true;
    }

    public ReadOnlySpan<ConnectionState> All() => new(_places!, 0, Count);

    /// <summary>
    /// For a look at each without the lock, however many there are: one that comes or goes meanwhile is in it or not, and one that
    /// takes the place of another at that moment may be left out this time.
    /// </summary>
    public ReadOnlySpan<ConnectionState?> Glance() => Volatile.Read(ref _places);

    private void Resize(int length)
    {
        var places = new ConnectionState?[length];
        Array.Copy(_places, places, Count);
        Volatile.Write(ref _places, places);
    }
}
