namespace Perch.Endpoints;

/// <summary>An endpoint that a start would serve.</summary>
/// <param name="Name">Its key in the configuration.</param>
/// <param name="Protocol">The protocol's name.</param>
/// <param name="Address">What would be bound.</param>
public sealed record PlannedEndpoint(string Name, string Protocol, string Address);
