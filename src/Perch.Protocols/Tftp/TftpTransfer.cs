using Perch.Datagrams;

namespace Perch.Protocols.Tftp;

/// <summary>One request that is being served, as the table of transfers knows it.</summary>
internal sealed class TftpTransfer(TftpTransfers table, PeerAddress peer, (ulong, ulong) source, ReadOnlyMemory<byte> request, TimeProvider time) : IDisposable
{
    private volatile bool _isStalled;
    private bool _hasLeft;

    public PeerAddress Peer { get; } = peer;

    /// <summary>The source that it counts for.</summary>
    public (ulong, ulong) Source { get; } = source;

    public TftpWait Wait { get; } = new(time);

    /// <summary>The peer has shown that it receives. Set under the table's lock.</summary>
    public bool IsProven { get; set; }

    /// <summary>Something had to be sent again, and nothing has come since.</summary>
    public bool IsStalled
    {
        get => _isStalled;
        set => _isStalled = value;
    }

    /// <summary>
    /// Whether a request that comes from the same port is this one again, as a network or an impatient peer doubles it. One
    /// that comes when the peer had gone silent is a peer that has started anew.
    /// </summary>
    public bool IsRepeatedBy(ReadOnlySpan<byte> packet) => packet.SequenceEqual(request.Span) && !(IsProven && IsStalled);

    public void Prove() => table.Prove(this);

    /// <summary>It is over, and counts no more.</summary>
    public void Leave()
    {
        if (_hasLeft) return;
        _hasLeft = true;
        table.Remove(this);
    }

    public void Dispose()
    {
        Leave();
        Wait.Dispose();
    }
}
