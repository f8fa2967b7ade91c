namespace Perch.Transport;

/// <summary>
/// What has gone over a connection, and what waits for the peer: for byte counts and timeouts that cost the connection nothing.
/// A connection has it while its <c>Transport</c> is its own. The values are read from any thread without a lock: each is one
/// aligned word, so a reader sees an old one at worst.
/// </summary>
public interface IConnectionProgressFeature
{
    /// <summary>Bytes that reads have received.</summary>
    long BytesReceived { get; }

    /// <summary>Bytes that the system has taken, those of files too.</summary>
    long BytesSent { get; }

    /// <summary>A read waits for the peer to send.</summary>
    bool IsReadPending { get; }

    /// <summary>Odd while a flush, or the sending of a file, waits for the peer to read; every such wait has a number of its own.</summary>
    int FlushWaits { get; }

    /// <summary>A read has come to the peer's end of the stream.</summary>
    bool HasPeerEnded { get; }

    /// <summary>A flush was told that nobody reads any more.</summary>
    bool HasPeerLeft { get; }
}
