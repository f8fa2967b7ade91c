namespace Perch.Connections;

/// <summary>
/// Why a connection ended. The same word stands in the log line, in the <c>outcome</c> label of
/// <c>perch.connections.ended</c> and in <c>GET /connections/recent</c>.
/// </summary>
public enum ConnectionOutcome
{
    /// <summary>The protocol ended the dialogue: a reply that closes, a quit message.</summary>
    Completed,

    /// <summary>The peer closed its side at a message boundary.</summary>
    PeerClosed,

    /// <summary>The peer reset the connection, or went away while it was being written to.</summary>
    PeerReset,

    /// <summary>No byte went either way for <c>IdleTimeout</c> while the handler waited for the peer.</summary>
    IdleTimeout,

    /// <summary>The peer sent nothing for <c>FirstByteTimeout</c> after it connected.</summary>
    FirstByteTimeout,

    /// <summary>The peer did not read what was sent for <c>WriteTimeout</c>.</summary>
    WriteTimeout,

    /// <summary>The peer stayed below the minimum rate.</summary>
    TooSlow,

    /// <summary>The connection reached its maximum age.</summary>
    MaxAge,

    /// <summary>The connection was over a limit and was closed before its handler ran.</summary>
    Rejected,

    /// <summary>The TLS handshake failed.</summary>
    TlsFailed,

    /// <summary>The PROXY protocol header was missing, malformed or from a source that is not trusted.</summary>
    ProxyFailed,

    /// <summary>The peer broke the protocol: malformed, too long, or cut off within a message.</summary>
    ProtocolViolation,

    /// <summary>The endpoint drained; the handler left at a message boundary.</summary>
    Drained,

    /// <summary>The endpoint drained, and the handler had not left at the deadline.</summary>
    DrainAborted,

    /// <summary>The handler threw. The log has the stack.</summary>
    HandlerFault,

    /// <summary>A store that the protocol needs could not be reached.</summary>
    StorageUnavailable,

    /// <summary>Peers occupied more memory than <c>Perch:MemoryBudget</c>, and the connection was among the largest.</summary>
    MemoryPressure,
}
