using Perch.Endpoints;
using Perch.Lifecycle;

namespace Perch.Configuration;

/// <summary>The whole <c>Perch</c> section: read, validated, and never changed. Endpoints that are not enabled are not in it.</summary>
internal sealed record PerchConfig(IReadOnlyDictionary<string, EndpointConfig> Endpoints, ShutdownOptions Shutdown, int Loops)
{
    /// <summary>Most bytes that peers may occupy; null for the default.</summary>
    public long? MemoryBudget { get; init; }

    /// <summary>Valid, but probably not as the operator intends.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
