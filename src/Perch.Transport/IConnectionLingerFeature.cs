namespace Perch.Transport;

/// <summary>A connection of the direct transport that waits for the peer's end when it is closed (<see cref="DirectTransportOptions.LingerTime"/>).</summary>
public interface IConnectionLingerFeature
{
    /// <summary>
    /// Makes the close immediate. The peer gets the end of the stream, or a reset if bytes of it are unread; for a connection on which
    /// nothing was sent.
    /// </summary>
    void SkipLinger();
}
