using Microsoft.Extensions.Configuration;

namespace Perch.Configuration;

/// <summary>
/// Names of endpoints over the layers of the configuration. Keys are not case-sensitive, and environment variables are often written in
/// capitals, but records, metrics and logs have the name as text: the spelling of the first layer is the name.
/// </summary>
internal static class EndpointNames
{
    private const string Section = "Perch:Endpoints";

    /// <param name="configuration">The root; a configuration without layers has one spelling.</param>
    /// <param name="key">A spelling of the name.</param>
    public static string FirstSpelling(IConfiguration configuration, string key) =>
        Spellings(configuration).FirstOrDefault(other => string.Equals(key, other, StringComparison.OrdinalIgnoreCase)) ?? key;

    /// <returns>Each name of the first layer that has it, with another spelling of a later layer.</returns>
    public static IEnumerable<(string Name, string Other)> Differences(IConfiguration configuration) =>
        from spellings in Spellings(configuration).GroupBy(name => name, StringComparer.OrdinalIgnoreCase)
        let name = spellings.First()
        from other in spellings.Distinct(StringComparer.Ordinal)
        where other != name
        select (name, other);

    private static IEnumerable<string> Spellings(IConfiguration configuration) =>
        configuration is IConfigurationRoot root ? root.Providers.SelectMany(layer => layer.GetChildKeys([], Section)) : [];
}
