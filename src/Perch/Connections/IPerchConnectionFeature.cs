namespace Perch.Connections;

/// <summary>
/// What the host knows of a connection, for handlers that are plain
/// <see cref="Microsoft.AspNetCore.Connections.ConnectionHandler"/>s. Found in
/// <c>connection.Features</c>; absent where a handler runs outside the host.
/// </summary>
public interface IPerchConnectionFeature
{
    /// <summary>The same in every log line about the connection, and in <c>GET /connections</c>.</summary>
    string ConnectionId { get; }

    /// <summary>The endpoint's name in the configuration.</summary>
    string Endpoint { get; }

    /// <summary>The protocol's name.</summary>
    string Protocol { get; }

    /// <summary>The peer's address and port, an IPv4 address as such whatever the socket is; <c>unix</c> for a Unix socket.</summary>
    string Peer { get; }

    /// <summary>Messages handled so far; a handler with messages of its own adds to it from one thread at a time.</summary>
    long Messages { get; set; }

    /// <summary>
    /// Counts memory that the handler holds for the connection, such as messages that wait for a store. Under memory pressure
    /// (<c>Perch:MemoryBudget</c>) the connections that hold most are paused, then ended. Called on any thread.
    /// </summary>
    /// <param name="bytes">Bytes that were taken; negative when they are free again. The budget counts them elsewhere.</param>
    void CountMemory(long bytes);

    /// <summary>The outcome; null while none is named.</summary>
    ConnectionOutcome? Outcome { get; }

    /// <summary>
    /// Names the outcome. The first call wins; where none is made the host derives the outcome from how the handler ended.
    /// </summary>
    /// <returns>Whether this call was the first.</returns>
    bool TrySetOutcome(ConnectionOutcome outcome);
}
