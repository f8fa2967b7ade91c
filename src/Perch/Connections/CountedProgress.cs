using Perch.Transport;

namespace Perch.Connections;

/// <summary>The progress of a connection whose transport does not count, as a counting reader and writer around it write it down.</summary>
internal sealed class CountedProgress : IConnectionProgressFeature
{
    public long BytesReceived { get; set; }

    public long BytesSent { get; set; }

    public bool IsReadPending { get; set; }

    public int FlushWaits { get; private set; }

    public bool HasPeerEnded { get; set; }

    public bool HasPeerLeft { get; set; }

    public void BeginFlushWait() => FlushWaits |= 1;

    public void EndFlushWait() => FlushWaits += FlushWaits & 1;
}
