using System.ComponentModel.DataAnnotations;
using System.Security.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Perch.Configuration;

namespace Perch.Server.Configuration;

/// <summary>
/// The keys of an entry of <c>Kestrel:Endpoints</c>, of <c>Kestrel:EndpointDefaults</c>, and of an entry of <c>Sni</c>, to find faults:
/// Kestrel's own reader ignores a word that it does not know.
/// </summary>
internal sealed class KestrelEndpointSettings : IValidatableObject
{
    public string? Url { get; set; }

    public HttpProtocols? Protocols { get; set; }

    public string[] SslProtocols { get; set; } = [];

    public ClientCertificateMode? ClientCertificateMode { get; set; }

    public static void Check(IConfigurationSection section, List<ConfigFault> faults)
    {
        var binder = new StrictBinder(faults);
        binder.Read(section, new KestrelEndpointSettings(), nameof(Certificate), "Sni");
        binder.Read(section.GetSection(nameof(Certificate)), new Certificate());
        foreach (var host in section.GetSection("Sni").GetChildren())
            Check(host, faults);
    }

    public static void CheckCertificate(IConfigurationSection section, List<ConfigFault> faults) =>
        new StrictBinder(faults).Read(section, new Certificate());

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var known = Enum.GetNames<SslProtocols>();
        if (SslProtocols.FirstOrDefault(word => !known.Contains(word, StringComparer.OrdinalIgnoreCase)) is { } unknown)
            yield return new($"has '{unknown}', which is none of {string.Join(", ", known)}", [nameof(SslProtocols)]);
    }

    /// <summary>The keys of a certificate: a file, or a subject in a store.</summary>
    private sealed class Certificate
    {
        public string? Path { get; set; }

        public string? KeyPath { get; set; }

        public string? Password { get; set; }

        public string? Subject { get; set; }

        public string? Store { get; set; }

        public string? Location { get; set; }

        public bool? AllowInvalid { get; set; }
    }
}
