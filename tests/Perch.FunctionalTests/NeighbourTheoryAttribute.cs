namespace Perch.FunctionalTests;

/// <inheritdoc cref="NeighbourFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeighbourTheoryAttribute : TheoryAttribute
{
    /// <inheritdoc cref="NeighbourFactAttribute(string, Capability)"/>
    public NeighbourTheoryAttribute(string program, Capability capability = Capability.None)
    {
        (Program, Capability) = (program, capability);
        Skip = NeighbourFactAttribute.SkipReason(program, capability);
    }

    public string Program { get; }

    public Capability Capability { get; }
}
