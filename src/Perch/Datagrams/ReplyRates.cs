using System.Runtime.CompilerServices;
using System.Security.Cryptography;

namespace Perch.Datagrams;

/// <summary>
/// Caps the replies per second to one source: an IPv4 address, or the /64 of an IPv6 one. The table has a fixed size
/// whatever sources are forged; sources that fall into one slot share its rate, and a random key keeps it unknown which do.
/// A loop between two servers ends here, since the first reply that is not sent is its last.
/// </summary>
/// <remarks>
/// Each slot is the generic cell rate algorithm: one number, the time at which the next reply would be due if they came
/// evenly. A second's worth may come at once. Any thread may ask.
/// </remarks>
internal sealed class ReplyRates(long ticksPerSecond)
{
    /// <summary>128 KiB.</summary>
    public const int Slots = 16 * 1024;

    private readonly ulong _key = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8));
    private readonly long[] _due = new long[Slots];

    /// <param name="peer">Whom to send to.</param>
    /// <param name="perSecond">The cap; 0 is none.</param>
    /// <param name="now">A time stamp, in the ticks of which a second has so many.</param>
    public bool TryTake(in PeerAddress peer, int perSecond, long now)
    {
        if (perSecond == 0) return true;
        ref var slot = ref _due[SlotOf(peer)];
        var interval = Math.Max(1, ticksPerSecond / perSecond);
        var due = Volatile.Read(ref slot);
        while (true)
        {
            if (due - now > ticksPerSecond - interval) return false;
            var seen = Interlocked.CompareExchange(ref slot, Math.Max(due, now) + interval, due);
            if (seen == due) return true;
            due = seen;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int SlotOf(in PeerAddress peer)
    {
        var source = peer.IsIPv4 ? peer.Low : peer.High;
        // SplitMix64 over the keyed source: what comes out tells nothing about the key to one who only counts replies.
        var hash = source ^ _key;
        hash = (hash ^ (hash >> 30)) * 0xBF58476D1CE4E5B9;
        hash = (hash ^ _key ^ (hash >> 27)) * 0x94D049BB133111EB;
        return (int)((hash ^ (hash >> 31)) & (Slots - 1));
    }
}
