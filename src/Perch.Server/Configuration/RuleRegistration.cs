using Perch.Configuration;

namespace Perch.Server.Configuration;

/// <summary>The rules and the keys of the sections outside of <c>Perch</c>.</summary>
internal static class RuleRegistration
{
    /// <summary>Adds a rule for each section, and the sections that are read at start only.</summary>
    public static void AddConfigurationRules(this IServiceCollection services)
    {
        services
            .AddSingleton<IConfigurationRule, LoggingRule>()
            .AddSingleton<IConfigurationRule, AdminRule>()
            .AddSingleton<IConfigurationRule, KestrelRule>()
            .AddSingleton<IConfigurationRule, OtlpRule>()
            .AddSingleton(new RestartKey("Kestrel"))
            .AddSingleton(new RestartKey("Logging"))
            .AddSingleton(new RestartKey("Serilog", Except: "Serilog:MinimumLevel"))
            .AddSingleton(new RestartKey("OTEL_"));
    }
}
