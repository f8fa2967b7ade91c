namespace Perch.Endpoints;

/// <summary>The life of an endpoint.</summary>
public enum EndpointState
{
    /// <summary>The socket is being bound.</summary>
    Binding,

    /// <summary>Connections are accepted.</summary>
    Listening,

    /// <summary>No more connections are accepted; those that are there finish the message in hand.</summary>
    Draining,

    /// <summary>Nothing is left of it.</summary>
    Stopped,

    /// <summary>The socket could not be bound; it is tried again.</summary>
    Failed,
}
