using Microsoft.Extensions.Configuration;
using Perch.Endpoints;

namespace Perch.Configuration;

/// <summary>
/// Checks a section outside of <c>Perch</c>. Every rule runs with the <see cref="PerchConfigReader"/>: at start, in a check and at each
/// reload.
/// </summary>
internal interface IConfigurationRule
{
    /// <param name="configuration">The configuration as it stands in the files.</param>
    /// <param name="endpoints">The enabled endpoints of <c>Perch:Endpoints</c> that have no fault.</param>
    /// <param name="faults">Takes every fault that the rule finds.</param>
    void Check(IConfiguration configuration, IReadOnlyCollection<EndpointConfig> endpoints, List<ConfigFault> faults);

    /// <summary>Settings that are valid, but probably not as the operator intends. Each is a sentence without its full stop.</summary>
    /// <param name="configuration">The configuration as it stands in the files.</param>
    IEnumerable<string> Warnings(IConfiguration configuration) => [];
}
