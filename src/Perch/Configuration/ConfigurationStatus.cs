namespace Perch.Configuration;

/// <summary>Whether the configuration as it stands in the files is the one that runs.</summary>
public sealed class ConfigurationStatus
{
    private volatile IReadOnlyList<ConfigFault> _unreadable = [];
    private volatile IReadOnlyList<ConfigFault> _rejected = [];

    /// <summary>
    /// The faults of the files as they stand; empty if the files were applied. The faults of a content that was read before are not
    /// among them while a file is missing or is not JSON.
    /// </summary>
    public IReadOnlyList<ConfigFault> Faults => _unreadable is { Count: > 0 } unreadable ? unreadable : _rejected;

    /// <summary>Set by the file watcher: a file is no JSON, or cannot be read.</summary>
    internal void SetUnreadable(params IReadOnlyList<ConfigFault> faults) => _unreadable = faults;

    /// <summary>Set when a configuration that was read is applied (no faults) or refused.</summary>
    internal void SetRejected(params IReadOnlyList<ConfigFault> faults) => _rejected = faults;
}
