namespace Perch.FunctionalTests;

/// <inheritdoc cref="NeighbourFactAttribute"/>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeighbourTheoryAttribute : TheoryAttribute
{
    public NeighbourTheoryAttribute(string program)
    {
        Program = program;
        Skip = NeighbourFactAttribute.SkipReason(program);
    }

    public string Program { get; }
}
