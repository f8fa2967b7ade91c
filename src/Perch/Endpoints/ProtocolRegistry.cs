using System.Collections.Frozen;

namespace Perch.Endpoints;

/// <summary>The registered protocols by name, in any case.</summary>
internal sealed class ProtocolRegistry
{
    private readonly FrozenDictionary<string, ProtocolDescriptor> _byName;

    public ProtocolRegistry(IEnumerable<ProtocolDescriptor> protocols)
    {
        var byName = new Dictionary<string, ProtocolDescriptor>(StringComparer.OrdinalIgnoreCase);
        foreach (var protocol in protocols)
        {
            if (!byName.TryAdd(protocol.Name, protocol))
                throw new InvalidOperationException($"The protocol '{protocol.Name}' is registered twice: give one of {byName[protocol.Name].HandlerType} and {protocol.HandlerType} another name.");
        }

        _byName = byName.ToFrozenDictionary(StringComparer.OrdinalIgnoreCase);
    }

    /// <summary>The protocols that can be served over this transport.</summary>
    public IEnumerable<string> NamesFor(EndpointTransport transport) =>
        _byName.Values.Where(p => p.Serves(transport)).Select(p => p.Name).Order(StringComparer.Ordinal);

    public ProtocolDescriptor? Find(string name) => _byName.GetValueOrDefault(name);
}
