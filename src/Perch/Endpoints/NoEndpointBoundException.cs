namespace Perch.Endpoints;

/// <summary>No endpoint could be bound at start; most often the server runs already.</summary>
public sealed class NoEndpointBoundException(IReadOnlyList<EndpointStatus> endpoints)
    : Exception($"No endpoint could be bound:{string.Concat(endpoints.Select(e => $"{Environment.NewLine}  {e.Name} ({e.Address}): {e.Reason}"))}")
{
    /// <summary>The endpoints, each with its reason.</summary>
    public IReadOnlyList<EndpointStatus> Endpoints { get; } = endpoints;
}
