using Perch.Datagrams;

namespace Perch.Tftp;

/// <summary>One request that is being served, as the table of transfers knows it.</summary>
internal sealed class TftpTransfer(TftpTransfers table, PeerAddress peer, (ulong, ulong) source, ReadOnlyMemory<byte> request, TimeProvider time) : IDisposable
{
    private volatile bool _isStalled;
    private volatile bool _isEnding;
    private volatile bool _isAskedAgain;

    public PeerAddress Peer { get; } = peer;

    /// <summary>The source that it counts for.</summary>
    public (ulong, ulong) Source { get; } = source;

    public TftpWait Wait { get; } = new(time);

    /// <summary>The request.</summary>
    public ReadOnlyMemory<byte> Request => request;

    /// <summary>The transfer is not in the table any more. Set under the table's lock.</summary>
    public bool HasLeft { get; set; }

    /// <summary>The last block is on its way, so that the next packet of the peer may end the transfer.</summary>
    public bool IsEnding
    {
        get => _isEnding;
        set => _isEnding = value;
    }

    /// <summary>
    /// The peer has sent the request once more. When the packets before it end the transfer, it is a new request. Set under the
    /// table's lock while the transfer is in the table.
    /// </summary>
    public bool IsAskedAgain
    {
        get => _isAskedAgain;
        set => _isAskedAgain = value;
    }

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

    /// <summary>Notes that the request has come once more.</summary>
    /// <returns>False if the transfer is over: the request is a new one.</returns>
    public bool TryAskAgain() => table.TryAskAgain(this);

    /// <summary>It is over, and counts no more.</summary>
    public void Leave() => table.Remove(this);

    public void Dispose()
    {
        Leave();
        Wait.Dispose();
    }
}
