namespace Perch.Cli.Bench;

/// <summary>
/// The bytes of a load: for streams a pattern with a prime period, so that a byte that is lost or doubled shows; for lines, lines. Each
/// connection begins at another place.
/// </summary>
internal sealed class BenchPattern
{
    /// <summary>The most that is asked for at once.</summary>
    public const int WindowBytes = 256 * 1024;

    private const int PrimePeriod = 65521;
    private const uint Multiplier = 1664525;
    private const uint Increment = 1013904223;

    private readonly byte[] _bytes;
    private readonly int _period;

    private BenchPattern(int period, Func<int, byte> at)
    {
        _period = period;
        _bytes = new byte[period + WindowBytes];
        for (var i = 0; i < _bytes.Length; i++) _bytes[i] = i < period ? at(i) : _bytes[i - period];
    }

    /// <summary>Any bytes.</summary>
    public static BenchPattern Stream()
    {
        var state = 12345u;
        return new(PrimePeriod, _ => (byte)((state = unchecked((state * Multiplier) + Increment)) >> 24));
    }

    /// <summary>Lines of <paramref name="size"/> bytes with their LF, the letters of which differ.</summary>
    public static BenchPattern Lines(int size) => new(size * 64, i => i % size == size - 1 ? (byte)'\n' : (byte)('a' + (((i / size) + (i % size)) % 26)));

    /// <summary>So many bytes from a place in the endless pattern; at most <see cref="WindowBytes"/>.</summary>
    public ReadOnlySpan<byte> At(long position, int count) => _bytes.AsSpan((int)(position % _period), count);

    /// <summary>Whether it has these bytes anywhere.</summary>
    public bool Contains(ReadOnlySpan<byte> bytes) => _bytes.AsSpan().IndexOf(bytes) >= 0;
}
