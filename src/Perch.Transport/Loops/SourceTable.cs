namespace Perch.Transport.Loops;

/// <summary>
/// The sources of a loop by their keys. A key is a place and the number of its use, so that an event which was on its way
/// when a descriptor was closed does not reach the next connection that has the place.
/// </summary>
internal sealed class SourceTable
{
    private readonly Lock _lock = new();
    private readonly Stack<int> _free = [];
    private IEventSource?[] _places = new IEventSource?[64];
    private uint _uses;
    private int _top;

    public int Count
    {
        get
        {
            lock (_lock) return _top - _free.Count;
        }
    }

    /// <summary>Gives the source its key.</summary>
    public void Add(IEventSource source)
    {
        lock (_lock)
        {
            if (!_free.TryPop(out var place))
            {
                // The table grows first: if there is no memory, nothing has changed.
                if (_top == _places.Length)
                {
                    var grown = new IEventSource?[_top * 2];
                    _places.CopyTo(grown, 0);
                    Volatile.Write(ref _places, grown);
                }

                place = _top++;
            }

            // Zero is the loop's own.
            if (++_uses == 0) _uses = 1;
            source.Key = ((ulong)_uses << 32) | (uint)place;
            Volatile.Write(ref _places[place], source);
        }
    }

    public void Remove(IEventSource source)
    {
        lock (_lock)
        {
            var place = (int)(uint)source.Key;
            if (!ReferenceEquals(_places[place], source)) return;
            _places[place] = null;
            _free.Push(place);
        }
    }

    /// <returns>Null where the key's source is gone.</returns>
    public IEventSource? Find(ulong key)
    {
        var (places, place) = (Volatile.Read(ref _places), (uint)key);
        if (place >= places.Length) return null;
        var source = Volatile.Read(ref places[place]);
        return source is not null && source.Key == key ? source : null;
    }

    /// <returns>Who has the key's place now, without a look at it.</returns>
    public IEventSource? Peek(ulong key)
    {
        var (places, place) = (Volatile.Read(ref _places), (uint)key);
        return place < places.Length ? places[place] : null;
    }

    public List<IEventSource> All()
    {
        lock (_lock) return [.. _places.OfType<IEventSource>()];
    }
}
