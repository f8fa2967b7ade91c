namespace Perch.Endpoints;

/// <summary>
/// One enabled endpoint as the configuration has it: read, validated, and never changed. A reload compares all properties, so each of them
/// has an equality by value.
/// </summary>
internal sealed record EndpointConfig
{
    public required string Name { get; init; }

    public required ListenAddress Listen { get; init; }

    public required ProtocolDescriptor Protocol { get; init; }

    public required GuardOptions Guards { get; init; }

    /// <summary>The cap over the connections of all endpoints.</summary>
    public required int TotalConnections { get; init; }

    public ConnectionLogging LogConnections { get; init; }

    public required ProtocolOptions Options { get; init; }
}
