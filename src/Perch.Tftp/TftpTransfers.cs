using System.Buffers.Binary;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Perch.Datagrams;

namespace Perch.Tftp;

/// <summary>
/// The transfers of one endpoint, by peer, and their caps. Requests can be forged, so those whose peer has not answered yet give way:
/// when the table is full the oldest of them goes, and one source has few of them. For any thread.
/// </summary>
/// <param name="most">Most at once.</param>
/// <param name="mostPerSource">Most at once of one source.</param>
/// <param name="time">The clock.</param>
internal sealed class TftpTransfers(int most, int mostPerSource, TimeProvider time)
{
    /// <summary>
    /// Most of one source whose peer has not answered. Each may cost its victim one block of 512 bytes: this, and how long a
    /// transfer waits for its first answer, is what forged requests without options can do to somebody.
    /// </summary>
    public const int MostUnprovenPerSource = 32;

    private readonly Lock _lock = new();
    private readonly Dictionary<PeerAddress, TftpTransfer> _byPeer = [];
    private readonly Dictionary<(ulong, ulong), Tally> _bySource = [];
    private readonly LinkedList<TftpTransfer> _unproven = new();
    private int _count;

    /// <summary>The one of this peer, or null.</summary>
    public TftpTransfer? Find(PeerAddress peer)
    {
        lock (_lock) return _byPeer.GetValueOrDefault(peer);
    }

    /// <summary>Begins one; the one that the peer has ends as replaced.</summary>
    /// <returns>Null where a cap is reached.</returns>
    public TftpTransfer? TryAdd(PeerAddress peer, ReadOnlyMemory<byte> request)
    {
        var source = SourceOf(peer);
        TftpTransfer? given = null;
        TftpTransfer? transfer;
        TftpTransfer? replaced;
        lock (_lock)
        {
            var tally = _bySource.GetValueOrDefault(source);
            if (tally.All >= mostPerSource || tally.Unproven >= MostUnprovenPerSource) return null;
            if (_count >= most)
            {
                given = _unproven.First?.Value;
                if (given is null) return null;
                _unproven.RemoveFirst();
            }

            transfer = new(this, peer, source, request, time);
            _count++;
            _bySource[source] = new(tally.All + 1, tally.Unproven + 1);
            _unproven.AddLast(transfer);
            _byPeer.Remove(peer, out replaced);
            _byPeer[peer] = transfer;
        }

        given?.Wait.End(TftpOutcome.NoPeer);
        replaced?.Wait.End(TftpOutcome.Replaced);
        return transfer;
    }

    public void Prove(TftpTransfer transfer)
    {
        lock (_lock)
        {
            if (transfer.IsProven) return;
            transfer.IsProven = true;
            _unproven.Remove(transfer);
            Count(transfer.Source, 0, -1);
        }
    }

    /// <inheritdoc cref="TftpTransfer.TryAskAgain"/>
    public bool TryAskAgain(TftpTransfer transfer)
    {
        lock (_lock)
        {
            if (transfer.HasLeft) return false;
            return transfer.IsAskedAgain = true;
        }
    }

    /// <summary>Removes a transfer, once.</summary>
    public void Remove(TftpTransfer transfer)
    {
        lock (_lock)
        {
            if (transfer.HasLeft) return;
            transfer.HasLeft = true;
            _count--;
            Count(transfer.Source, -1, transfer.IsProven ? 0 : -1);
            _unproven.Remove(transfer);
            if (_byPeer.GetValueOrDefault(transfer.Peer) == transfer) _byPeer.Remove(transfer.Peer);
        }
    }

    /// <returns>The IPv4 address, or the first 64 bits of the IPv6 one.</returns>
    public static (ulong, ulong) SourceOf(PeerAddress peer)
    {
        var address = peer.Address;
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out _);
        return address.AddressFamily == AddressFamily.InterNetwork ? (0, BinaryPrimitives.ReadUInt32BigEndian(bytes)) : (BinaryPrimitives.ReadUInt64BigEndian(bytes), ulong.MaxValue);
    }

    private void Count((ulong, ulong) source, int all, int unproven)
    {
        var tally = _bySource[source];
        if (tally.All + all == 0) _bySource.Remove(source);
        else _bySource[source] = new(tally.All + all, tally.Unproven + unproven);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Tally(int All, int Unproven);
}
