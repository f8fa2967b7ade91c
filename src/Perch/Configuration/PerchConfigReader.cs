using System.Net;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Perch.Diagnostics;
using Perch.Endpoints;

namespace Perch.Configuration;

/// <summary>Reads the <c>Perch</c> section whole, with every fault that is in it and in the sections that the rules check.</summary>
internal sealed class PerchConfigReader(
    IConfiguration configuration, ProtocolRegistry protocols, IHostEnvironment environment, IEnumerable<SectionDescriptor> sections,
    IEnumerable<SectionChoice> choices, IEnumerable<IConfigurationRule> rules, DescriptorPlan descriptors)
{
    /// <summary>The longest path that fits sockaddr_un (unix(7)), less its terminating NUL.</summary>
    private const int MaxUnixPathBytes = 107;

    private const int DefaultBacklog = 512;

    /// <exception cref="PerchConfigurationException">It has faults.</exception>
    public PerchConfig Read()
    {
        var faults = new List<ConfigFault>();
        var binder = new StrictBinder(faults);
        var settings = new PerchSettings();
        var section = configuration.GetSection("Perch");
        binder.Read(section, settings, [nameof(PerchConfig.Endpoints), .. sections.Select(s => s.Name).Distinct()]);
        foreach (var shared in sections)
            Read(binder, shared);
        CheckChoices(section, faults);
        var defaultsAreFaulty = faults.Exists(f => f.Key.StartsWith("Perch:Defaults:", StringComparison.OrdinalIgnoreCase));

        var endpoints = new Dictionary<string, EndpointConfig>(StringComparer.OrdinalIgnoreCase);
        var endpointsSection = section.GetSection(nameof(PerchConfig.Endpoints));
        if (endpointsSection.Value is { Length: > 0 } text)
            faults.Add(new(endpointsSection.Path, $"is the value '{text}', not a section", "Write an object: { ... }"));
        foreach (var child in endpointsSection.GetChildren())
        {
            if (ReadEndpoint(child, settings, defaultsAreFaulty, binder, faults) is { } endpoint) endpoints.Add(endpoint.Name, endpoint);
        }

        AddDuplicates(endpoints.Values, section, faults);
        foreach (var rule in rules)
            rule.Check(configuration, endpoints.Values, faults);
        var plan = descriptors.For(settings.Loops, endpoints.Count);
        if (DescriptorCheck.Fault(plan) is { } tooSmall) faults.Add(tooSmall);
        if (faults.Count > 0) throw new PerchConfigurationException([.. faults.Distinct()]);
        return new(endpoints, settings.Shutdown, settings.Loops)
        {
            MemoryBudget = settings.MemoryBudget,
            Warnings =
            [
                .. DescriptorCheck.Warnings(plan, section[nameof(settings.MaxConnections)] is null ? null : settings.MaxConnections),
                .. rules.SelectMany(rule => rule.Warnings(configuration)),
            ],
        };
    }

    /// <returns>The options of a registered section.</returns>
    /// <exception cref="PerchConfigurationException">It has faults.</exception>
    public object ReadSection(SectionDescriptor section)
    {
        var faults = new List<ConfigFault>();
        var options = Read(new(faults), section);
        return faults.Count == 0 ? options : throw new PerchConfigurationException(faults);
    }

    private object Read(StrictBinder binder, SectionDescriptor section)
    {
        var options = Activator.CreateInstance(section.OptionsType)!;
        var others = sections.Where(s => s.Name == section.Name).SelectMany(s => StrictBinder.KeysOf(s.OptionsType)).Except(StrictBinder.KeysOf(section.OptionsType));
        binder.Read(configuration.GetSection("Perch").GetSection(section.Name), options, [.. others]);
        return options;
    }

    private void CheckChoices(IConfigurationSection perch, List<ConfigFault> faults)
    {
        foreach (var words in choices.GroupBy(choice => $"{choice.Section}:{choice.Key}", choice => choice.Word))
        {
            if (perch[words.Key] is { } text && !words.Contains(text, StringComparer.OrdinalIgnoreCase))
                faults.Add(new($"{perch.Path}:{words.Key}", $"'{text}' is not one of the known words", $"Write one of: {string.Join(", ", words)}"));
        }
    }

    /// <returns>Null where it is not enabled or too faulty to go on with.</returns>
    private EndpointConfig? ReadEndpoint(
        IConfigurationSection section, PerchSettings perch, bool defaultsAreFaulty, StrictBinder binder, List<ConfigFault> faults)
    {
        var settings = new EndpointSettings();
        binder.Read(section, settings, nameof(EndpointConfig.Guards), nameof(EndpointConfig.Options));
        // Defaults with faults are reported where they stand, not at every endpoint that inherits them.
        var defaults = defaultsAreFaulty ? new() : perch.Defaults.Guards;
        var guards = defaults with { KeepAlive = defaults.KeepAlive with { } };
        binder.Read(section.GetSection(nameof(EndpointConfig.Guards)), guards);
        var protocol = FindProtocol(section, settings, faults);
        var listen = ReadAddress(section, settings, perch, faults);
        if (listen is not null) listen = TransportKeys.Read(section, settings, perch, listen, faults);
        if (protocol is null) return null;

        var options = Activator.CreateInstance(protocol.OptionsType)!;
        var optionsSection = section.GetSection(nameof(EndpointConfig.Options));
        binder.Read(optionsSection, options);
        if (listen is null || !settings.Enabled) return null;
        return new()
        {
            Name = EndpointNames.FirstSpelling(configuration, section.Key),
            Listen = listen,
            Protocol = protocol,
            Guards = guards,
            TotalConnections = perch.MaxConnections,
            LogConnections = settings.LogConnections,
            Options = new(options, Flatten(optionsSection)),
        };
    }

    private ProtocolDescriptor? FindProtocol(IConfigurationSection section, EndpointSettings settings, List<ConfigFault> faults)
    {
        var found = settings.Protocol is { } name ? protocols.Find(name) : null;
        if (found is null)
        {
            faults.Add(new($"{section.Path}:Protocol",
                settings.Protocol is null ? "is missing" : $"'{settings.Protocol}' is not a known protocol",
                $"Write one of: {string.Join(", ", protocols.NamesFor(settings.Transport))}"));
        }
        else if (!found.Serves(settings.Transport))
        {
            faults.Add(new($"{section.Path}:Protocol", $"'{found.Name}' does not serve {(settings.Transport == EndpointTransport.Udp ? "UDP" : "TCP")}",
                protocols.NamesFor(settings.Transport).ToList() is { Count: > 0 } others ? $"Write another Transport, or one of: {string.Join(", ", others)}" : "Write another Transport"));
        }

        return found;
    }

    private ListenAddress? ReadAddress(IConfigurationSection section, EndpointSettings settings, PerchSettings perch, List<ConfigFault> faults)
    {
        if (settings.Port is null == settings.UnixSocket is null || (settings.UnixSocket is not null && settings.Transport == EndpointTransport.Udp))
        {
            // A port that is no number is reported as that.
            if (settings.Port is null && section[nameof(EndpointSettings.Port)] is not null) return null;
            faults.Add(settings.Transport == EndpointTransport.Udp
                ? new($"{section.Path}:Port", settings.UnixSocket is null ? "is missing" : "is what UDP has, and UnixSocket is there", "Write Port (0 to 65535), and no UnixSocket")
                : new($"{section.Path}:Port", settings.Port is null ? "is missing" : "stands beside UnixSocket", "Write either Port (0 to 65535) or UnixSocket (a path)"));
            return null;
        }

        if (settings.UnixSocket is { } path)
        {
            var isPath = path.Length > 0 && !path.Contains('\0', StringComparison.Ordinal);
            var full = isPath ? Path.GetFullPath(path, environment.ContentRootPath) : path;
            if (isPath && Encoding.UTF8.GetByteCount(full) <= MaxUnixPathBytes) return new(null, 0, full, settings.Backlog ?? DefaultBacklog);
            faults.Add(new($"{section.Path}:UnixSocket", isPath ? $"'{full}' is too long" : "is not a path",
                $"Write a path of at most {MaxUnixPathBytes} bytes, counted from the root"));
            return null;
        }

        var address = settings.Address ?? perch.Address;
        if (IPAddress.TryParse(address, out var ip)) return new(ip, settings.Port!.Value, null, settings.Backlog ?? DefaultBacklog);
        faults.Add(new(settings.Address is null ? "Perch:Address" : $"{section.Path}:Address", $"'{address}' is not an IP address",
            "Write for example 127.0.0.1, 0.0.0.0 (every IPv4 address), ::1 or :: (every address)"));
        return null;
    }

    private static void AddDuplicates(IEnumerable<EndpointConfig> endpoints, IConfigurationSection section, List<ConfigFault> faults)
    {
        var seen = new List<EndpointConfig>();
        foreach (var endpoint in endpoints)
        {
            var first = seen.Find(other => other.Listen.Overlaps(endpoint.Listen));
            if (first is null) seen.Add(endpoint);
            else if (endpoint.Listen.UnixSocket is { } path)
                faults.Add(new($"{section.Path}:Endpoints:{endpoint.Name}:UnixSocket", $"'{path}' is the socket of endpoint '{first.Name}' too", "Give each endpoint a socket of its own"));
            else
                faults.Add(new($"{section.Path}:Endpoints:{endpoint.Name}:Port", $"{endpoint.Listen.Port} is the port of endpoint '{first.Name}' too", "Give each endpoint a port or an address of its own"));
        }
    }

    private static string Flatten(IConfigurationSection section) => string.Join('\n',
        section.AsEnumerable(makePathsRelative: true).Where(p => p.Value is not null)
            .Select(p => $"{p.Key}={p.Value}").Order(StringComparer.OrdinalIgnoreCase));
}
