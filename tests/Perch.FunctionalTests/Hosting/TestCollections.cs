namespace Perch.FunctionalTests.Hosting;

/// <summary>Tests that load the machine or measure a process: one at a time, and nothing beside them.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public sealed class AloneCollection
{
    public const string Name = "Alone";
}
