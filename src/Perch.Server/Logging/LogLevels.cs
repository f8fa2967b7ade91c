using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;
using Perch.Configuration;
using Serilog.Events;

namespace Perch.Server.Logging;

/// <summary>
/// The levels of <c>Serilog:MinimumLevel</c> as filters of the host's loggers. Serilog reads its overrides once, when a logger is
/// created; these follow every configuration that is applied.
/// </summary>
internal sealed class LogLevels(AppliedConfiguration configuration)
    : IConfigureOptions<LoggerFilterOptions>, IOptionsChangeTokenSource<LoggerFilterOptions>
{
    private const string Section = "Serilog:MinimumLevel";

    private static readonly (string Category, LogEventLevel Level)[] Defaults =
    [
        ("Microsoft", LogEventLevel.Warning),
        ("Microsoft.Hosting.Lifetime", LogEventLevel.Information),
        // The host logs the exception that it throws, with the stack: Program reports the exception once.
        ("Microsoft.Extensions.Hosting.Internal.Host", LogEventLevel.Fatal),
        // It logs each probe that finds the server not ready: the answer says so, and the cause was logged before.
        ("Microsoft.Extensions.Diagnostics.HealthChecks", LogEventLevel.Fatal),
    ];

    public string Name => Options.DefaultName;

    public static bool TryParse(string? text, out LogEventLevel level)
    {
        level = default;
        return Enum.GetNames<LogEventLevel>().Contains(text, StringComparer.OrdinalIgnoreCase)
            && Enum.TryParse(text, ignoreCase: true, out level);
    }

    public IChangeToken GetChangeToken() => configuration.GetReloadToken();

    public void Configure(LoggerFilterOptions options)
    {
        var section = configuration.GetSection(Section);
        options.Rules.Clear();
        options.MinLevel = LevelOf(TryParse(section["Default"] ?? section.Value, out var level) ? level : LogEventLevel.Information);
        // A later rule of the same category wins.
        foreach (var (category, standard) in Defaults)
            options.Rules.Add(new(null, category, LevelOf(standard), null));
        foreach (var entry in section.GetSection("Override").GetChildren())
        {
            if (TryParse(entry.Value, out var configured))
                options.Rules.Add(new(null, entry.Key, LevelOf(configured), null));
        }
    }

    private static LogLevel LevelOf(LogEventLevel level) => level switch
    {
        LogEventLevel.Verbose => LogLevel.Trace,
        LogEventLevel.Debug => LogLevel.Debug,
        LogEventLevel.Information => LogLevel.Information,
        LogEventLevel.Warning => LogLevel.Warning,
        LogEventLevel.Error => LogLevel.Error,
        _ => LogLevel.Critical,
    };
}
