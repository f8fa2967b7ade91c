namespace Perch.Endpoints;

/// <summary>Scoped: the endpoint that the scope's handler serves.</summary>
internal sealed class EndpointScope
{
    private EndpointConfig? _endpoint;

    public EndpointConfig Endpoint
    {
        get => _endpoint ?? throw new InvalidOperationException("A protocol's handler is resolved by its endpoint, which gives it its options: do not resolve it from another scope.");
        set => _endpoint = value;
    }
}
