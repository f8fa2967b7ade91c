namespace Perch.Connections;

/// <summary>An open connection: one row of <c>GET /connections</c>.</summary>
/// <param name="Id">Its id, as in the log.</param>
/// <param name="Endpoint">The endpoint's name.</param>
/// <param name="Protocol">The protocol's name.</param>
/// <param name="Peer">The peer's address and port, or <c>unix</c>.</param>
/// <param name="StartedAt">When it was accepted.</param>
/// <param name="Duration">How long it has been open.</param>
/// <param name="BytesReceived">Bytes that the handler was given.</param>
/// <param name="BytesSent">Bytes that the handler wrote.</param>
/// <param name="Messages">Messages handled.</param>
public sealed record LiveConnection(
    string Id, string Endpoint, string Protocol, string Peer, DateTimeOffset StartedAt, TimeSpan Duration,
    long BytesReceived, long BytesSent, long Messages);
