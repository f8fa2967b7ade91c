namespace Perch.Configuration;

/// <summary>Whether the configuration as it stands in the files is the one that runs.</summary>
public sealed class ConfigurationStatus
{
    private volatile IReadOnlyList<ConfigFault> _unreadable = [];
    private volatile IReadOnlyList<ConfigFault> _rejected = [];

    /// <summary>What is wrong with the files as they stand; empty where they were applied.</summary>
    public IReadOnlyList<ConfigFault> Faults => [.. _unreadable, .. _rejected];

    /// <summary>Set by the file watcher: a file is no JSON, or cannot be read.</summary>
    internal void SetUnreadable(params IReadOnlyList<ConfigFault> faults) => _unreadable = faults;

    /// <summary>Set when a configuration that was read is applied (no faults) or refused.</summary>
    internal void SetRejected(params IReadOnlyList<ConfigFault> faults) => _rejected = faults;
}
