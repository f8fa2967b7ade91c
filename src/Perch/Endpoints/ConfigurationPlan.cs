namespace Perch.Endpoints;

/// <summary>What a start with the configuration would serve.</summary>
/// <param name="Endpoints">In the order of their names.</param>
/// <param name="Warnings">Settings that are valid, but probably not as the operator intends.</param>
public sealed record ConfigurationPlan(IReadOnlyList<PlannedEndpoint> Endpoints, IReadOnlyList<string> Warnings);
