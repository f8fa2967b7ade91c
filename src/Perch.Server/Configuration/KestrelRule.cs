using Microsoft.AspNetCore.Server.Kestrel.Core;
using Perch.Configuration;
using Perch.Endpoints;

namespace Perch.Server.Configuration;

/// <summary>Checks the section <c>Kestrel</c>: the admin endpoint and its limits.</summary>
internal sealed class KestrelRule(IServiceProvider services) : IConfigurationRule
{
    private static readonly string[] Known = ["Certificates", "EndpointDefaults", "Endpoints", "Limits"];

    public void Check(IConfiguration configuration, IReadOnlyCollection<EndpointConfig> endpoints, List<ConfigFault> faults)
    {
        var children = configuration.GetSection("Kestrel").GetChildren();
        foreach (var child in children.Where(child => !Known.Contains(child.Key, StringComparer.OrdinalIgnoreCase)))
            faults.Add(new(child.Path, "is not a known key", $"Known here: {string.Join(", ", Known)}"));
        KestrelLimits.Read(configuration, new(), faults);
        KestrelEndpointSettings.Check(configuration.GetSection("Kestrel:EndpointDefaults"), faults);
        foreach (var certificate in configuration.GetSection("Kestrel:Certificates").GetChildren())
            KestrelEndpointSettings.CheckCertificate(certificate, faults);

        var taken = endpoints.Select(endpoint => (Owner: $"endpoint '{endpoint.Name}'", Socket: endpoint.Listen)).ToList();
        foreach (var section in configuration.GetSection("Kestrel:Endpoints").GetChildren())
        {
            var count = faults.Count;
            KestrelEndpointSettings.Check(section, faults);
            if (Read(section, faults) is not { } address)
                continue;
            if (taken.Find(other => address.Sockets.Any(socket => socket.Overlaps(other.Socket))) is { Owner: { } owner })
            {
                faults.Add(new($"{section.Path}:Url", $"'{section["Url"]}' is the address of {owner} too",
                    "Give each a port or an address of its own"));
            }

            taken.AddRange(address.Sockets.Select(socket => ($"'{section.Path}'", socket)));
            if (faults.Count == count)
                Load(configuration, section, faults);
        }
    }

    private static AdminAddress? Read(IConfigurationSection section, List<ConfigFault> faults)
    {
        if (section["Url"] is not { Length: > 0 } url)
        {
            faults.Add(new($"{section.Path}:Url", "is missing", "Write for example http://127.0.0.1:8080"));
            return null;
        }

        var (address, problem, cure) = AdminAddress.Parse(url);
        if (address is null)
            faults.Add(new($"{section.Path}:Url", problem!, cure!));
        return address;
    }

    /// <summary>Has Kestrel read the endpoint without binding it, which finds a missing certificate and unknown words.</summary>
    private void Load(IConfiguration configuration, IConfigurationSection endpoint, List<ConfigFault> faults)
    {
        var prefix = "Kestrel" + ConfigurationPath.KeyDelimiter;
        var others = configuration.GetSection("Kestrel:Endpoints").GetChildren()
            .Where(child => child.Path != endpoint.Path).Select(child => new RestartKey(child.Path)).ToList();
        var alone = new ConfigurationBuilder().AddInMemoryCollection(configuration.AsEnumerable()
            .Where(pair => pair.Key.StartsWith(prefix, StringComparison.OrdinalIgnoreCase))
            .Where(pair => !others.Exists(other => other.Covers(pair.Key)))
            .Select(pair => KeyValuePair.Create(pair.Key[prefix.Length..], pair.Value))).Build();
        try
        {
            new KestrelServerOptions { ApplicationServices = services }.Configure(alone).Load();
        }
        catch (Exception exception)
        {
            // The first line: the others are about certificates for development.
            var problem = exception.GetBaseException().Message.Split('\n')[0].Trim();
            faults.Add(new(endpoint.Path, problem, "Correct the keys of this endpoint, or those of Kestrel:Certificates"));
        }
    }
}
