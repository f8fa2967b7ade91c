using Perch.Configuration;
using Perch.Endpoints;

namespace Perch.Server.Configuration;

/// <summary>Checks the section <c>Admin</c>.</summary>
internal sealed class AdminRule : IConfigurationRule
{
    public void Check(IConfiguration configuration, IReadOnlyCollection<EndpointConfig> endpoints, List<ConfigFault> faults)
    {
        var settings = new AdminSettings();
        new StrictBinder(faults).Read(configuration.GetSection("Admin"), settings, AdminSettings.Hosts);
        // The key is compared with a header's value, which is trimmed and cannot contain control characters (RFC 9110, 5.5).
        if (settings.ApiKey != settings.ApiKey.Trim() || settings.ApiKey.Any(char.IsControl))
        {
            faults.Add(new("Admin:ApiKey", "begins or ends with white space, or contains a control character",
                "Remove it: a request cannot send such a key"));
        }
    }
}
