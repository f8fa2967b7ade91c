using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Primitives;

namespace Perch.Configuration;

/// <summary>
/// The configuration that runs: a copy, taken when a configuration without faults is applied. The files may differ from it, because a
/// faulty file changes nothing.
/// </summary>
internal sealed class AppliedConfiguration
{
    private readonly IConfiguration _files;
    private readonly RestartKey[] _restartKeys;
    private readonly ConfigurationReloadTokenSource _changed = new();
    private IConfiguration _atStart;
    private volatile IConfiguration _current;
    private volatile IReadOnlyList<string> _pendingKeys = [];

    public AppliedConfiguration(IConfiguration files, IEnumerable<RestartKey> restartKeys)
    {
        (_files, _restartKeys) = (files, [.. restartKeys]);
        _atStart = _current = Copy(files);
    }

    /// <summary>A value of the configuration that runs; null if the key does not exist.</summary>
    public string? this[string key] => _current[key];

    /// <summary>The keys that were edited since the start and apply at the next one, in the order of their names.</summary>
    public IReadOnlyList<string> PendingKeys => _pendingKeys;

    public IConfigurationSection GetSection(string key) => _current.GetSection(key);

    /// <summary>Signalled after each <see cref="Apply"/>.</summary>
    public IChangeToken GetReloadToken() => _changed.Token;

    /// <summary>Copies the files' configuration at the start of the host: the one that the services were created from.</summary>
    public void Start()
    {
        _atStart = _current = Copy(_files);
        _changed.Signal();
    }

    /// <summary>Copies the files' configuration after it was applied.</summary>
    /// <returns>The keys that are pending since then, and those that are as at the start again.</returns>
    public (IReadOnlyList<string> Added, IReadOnlyList<string> Reverted) Apply()
    {
        var current = Copy(_files);
        var before = _pendingKeys;
        (_current, _pendingKeys) = (current, Pending(current));
        _changed.Signal();
        var added = _pendingKeys.Except(before, StringComparer.OrdinalIgnoreCase);
        var reverted = before.Except(_pendingKeys, StringComparer.OrdinalIgnoreCase);
        return ([.. added], [.. reverted]);
    }

    private List<string> Pending(IConfiguration current) =>
        [.. _atStart.AsEnumerable().Concat(current.AsEnumerable()).Select(pair => pair.Key)
            .Distinct(StringComparer.OrdinalIgnoreCase)
            .Where(key => Array.Exists(_restartKeys, restart => restart.Covers(key)) && _atStart[key] != current[key])
            .Order(StringComparer.OrdinalIgnoreCase)];

    private static IConfiguration Copy(IConfiguration files) =>
        new ConfigurationBuilder().AddInMemoryCollection(files.AsEnumerable()).Build();

    private sealed class ConfigurationReloadTokenSource
    {
        private ConfigurationReloadToken _token = new();

        public IChangeToken Token => Volatile.Read(ref _token);

        public void Signal() => Interlocked.Exchange(ref _token, new()).OnReload();
    }
}
