namespace Perch.Configuration;

/// <summary>The configuration cannot be used. <see cref="Faults"/> has everything that is wrong with it, not only the first thing.</summary>
public sealed class PerchConfigurationException(IReadOnlyList<ConfigFault> faults)
    : Exception($"The configuration has {faults.Count} fault(s):{string.Concat(faults.Select(f => $"{Environment.NewLine}  {f}"))}")
{
    /// <summary>All faults, in the order of the keys.</summary>
    public IReadOnlyList<ConfigFault> Faults { get; } = faults;
}
