namespace Perch.Connections;

/// <summary>How a connection ended: one row of <c>GET /connections/recent</c>.</summary>
internal sealed record EndedConnection(
    string Id, string Endpoint, string Protocol, string Peer, DateTimeOffset StartedAt, TimeSpan Duration,
    long BytesReceived, long BytesSent, long Messages, ConnectionOutcome Outcome);
