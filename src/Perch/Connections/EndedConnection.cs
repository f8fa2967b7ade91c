namespace Perch.Connections;

/// <summary>How a connection ended: one row of <c>GET /connections/recent</c>.</summary>
/// <param name="Id">Its id, as in the log.</param>
/// <param name="Endpoint">The endpoint's name.</param>
/// <param name="Protocol">The protocol's name.</param>
/// <param name="Peer">The peer's address and port, or <c>unix</c>.</param>
/// <param name="StartedAt">When it was accepted.</param>
/// <param name="Duration">From accept to close.</param>
/// <param name="BytesReceived">Bytes that the handler was given.</param>
/// <param name="BytesSent">Bytes that the handler wrote.</param>
/// <param name="Messages">Messages handled.</param>
/// <param name="Outcome">Why it ended.</param>
public sealed record EndedConnection(
    string Id, string Endpoint, string Protocol, string Peer, DateTimeOffset StartedAt, TimeSpan Duration,
    long BytesReceived, long BytesSent, long Messages, ConnectionOutcome Outcome)
{
    /// <summary>The cap that rejected it, such as <c>MaxConnections</c>; null for other outcomes than <c>Rejected</c>.</summary>
    public string? Reason => RejectedBy.Name();

    /// <summary>A byte, so that the row is no larger than without it.</summary>
    internal Cap RejectedBy { get; init; }
}
