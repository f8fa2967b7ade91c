using Perch.Configuration;
using Perch.Endpoints;
using Perch.Server.Logging;

namespace Perch.Server.Configuration;

/// <summary>Checks the sections <c>Logging</c> and <c>Serilog</c>.</summary>
internal sealed class LoggingRule : IConfigurationRule
{
    public static readonly string[] Formats = ["Text", "Json"];

    public void Check(IConfiguration configuration, IReadOnlyCollection<EndpointConfig> endpoints, List<ConfigFault> faults)
    {
        if (configuration["Logging:Format"] is { Length: > 0 } format && !Formats.Contains(format, StringComparer.OrdinalIgnoreCase))
            faults.Add(new("Logging:Format", $"'{format}' is not a known format", $"Write {string.Join(" or ", Formats)}"));
        CheckSerilog(configuration, faults);
    }

    public IEnumerable<string> Warnings(IConfiguration configuration) =>
        from level in configuration.GetSection("Serilog:MinimumLevel:Override").GetChildren()
        let now = MovedCategories.NameNow(level.Key)
        where now is not null
        select $"{level.Path} has no effect: the log category is {now} now. Write Serilog:MinimumLevel:Override:{now}";

    /// <summary>Checks what Serilog is created from.</summary>
    public static void CheckSerilog(IConfiguration configuration, List<ConfigFault> faults)
    {
        var section = configuration.GetSection("Serilog");
        if (section.Value is { Length: > 0 } text)
            faults.Add(new(section.Path, $"is the value '{text}', not a section", "Write an object: { ... }"));
        var assemblies = LogSinks.Assemblies(configuration, (key, name) =>
            faults.Add(new(key, $"there is no assembly '{name}'", "Correct the name, or put the assembly beside the executable")));
        new LogDirectives(assemblies, faults).CheckSection(section);
    }
}
