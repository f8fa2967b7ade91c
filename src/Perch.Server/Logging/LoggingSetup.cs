using System.Text;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Perch.Configuration;
using Perch.Server.Configuration;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Extensions.Hosting;
using Serilog.Extensions.Logging;
using Serilog.Formatting;
using Serilog.Settings.Configuration;

namespace Perch.Server.Logging;

/// <summary>Set-up of Serilog as the logger of the host.</summary>
internal static class LoggingSetup
{
    private const int BufferedLines = 10_000;

    private static readonly RestartKey LevelKey = new("Serilog:MinimumLevel");

    /// <summary>
    /// The sinks and enrichers of the section <c>Serilog</c> apply, and its levels for every logging provider of the host, such as
    /// OpenTelemetry's. The console is Perch's own unless <c>Serilog:WriteTo</c> names a Console itself; <c>Logging:Format</c> makes it
    /// <c>Text</c> (default) or <c>Json</c>. A section with faults is not used: the start reports the faults.
    /// </summary>
    /// <param name="services">The services of the host.</param>
    /// <param name="configuration">The configuration that has the sections <c>Logging</c> and <c>Serilog</c>.</param>
    /// <param name="console">Creates the sink that takes the place of standard output; null is standard output, in UTF-8.</param>
    public static IServiceCollection AddPerchLogging(
        this IServiceCollection services, IConfiguration configuration, Func<ITextFormatter, ILogEventSink>? console = null)
    {
        if (console is null)
            UseUtf8();
        services.TryAddSingleton(provider => new AppliedConfiguration(configuration, provider.GetServices<RestartKey>()));
        services.AddLogging().AddSingleton<LogLevels>();
        services.AddSingleton<IConfigureOptions<LoggerFilterOptions>>(provider => provider.GetRequiredService<LogLevels>());
        services.AddSingleton<IOptionsChangeTokenSource<LoggerFilterOptions>>(provider => provider.GetRequiredService<LogLevels>());
        return services
            .AddSingleton<LogBuffer>()
            .AddSingleton<SinkFailures>()
            .AddSingleton<Serilog.ILogger>(provider => CreateLogger(configuration, console, provider))
            .AddSingleton(provider => new DiagnosticContext(provider.GetRequiredService<Serilog.ILogger>()))
            .AddSingleton<ILoggerProvider>(provider => new SerilogLoggerProvider(provider.GetRequiredService<Serilog.ILogger>()));
    }

    /// <summary>A console on standard error, for commands whose standard output has their own lines only.</summary>
    public static ILogEventSink StandardError(ITextFormatter formatter) =>
        new LoggerConfiguration().MinimumLevel.Verbose()
            .WriteTo.Console(formatter, standardErrorFromLevel: LogEventLevel.Verbose).CreateLogger();

    private static Logger CreateLogger(
        IConfiguration configuration, Func<ITextFormatter, ILogEventSink>? console, IServiceProvider provider)
    {
        _ = provider.GetRequiredService<SinkFailures>();
        // The levels are those of LogLevels: a line that comes this far is written.
        var setup = new LoggerConfiguration().MinimumLevel.Verbose().Enrich.With<ConnectionEnricher>();
        ReadSection(setup, configuration);
        if (!NamesConsole(configuration))
        {
            var formatter = Formatter(configuration);
            // A peer's connection must never wait for a terminal or a log collector that does not read: while the buffer is
            // full, lines are dropped and counted (perch_log_dropped_total). At the end the buffer is written out.
            setup.WriteTo.Async(
                to => _ = console is null ? to.Console(formatter) : to.Sink(console(formatter)),
                bufferSize: BufferedLines, blockWhenFull: false, monitor: provider.GetRequiredService<LogBuffer>());
        }

        return setup.CreateLogger();
    }

    /// <summary>Reads the section without its levels, once: sinks do not change at run time.</summary>
    /// <exception cref="PerchConfigurationException">A value that has no known fault cannot be used all the same.</exception>
    private static void ReadSection(LoggerConfiguration setup, IConfiguration configuration)
    {
        var faults = new List<ConfigFault>();
        LoggingRule.CheckSerilog(configuration, faults);
        if (faults.Count > 0)
            return;
        var section = new ConfigurationBuilder()
            .AddInMemoryCollection(configuration.AsEnumerable().Where(pair => !LevelKey.Covers(pair.Key))).Build();
        try
        {
            setup.ReadFrom.Configuration(section, new ConfigurationReaderOptions(LogSinks.Assemblies(configuration, (_, _) => { })));
        }
        catch (Exception exception)
        {
            throw new PerchConfigurationException([new("Serilog", exception.GetBaseException().Message, "Correct the section")]);
        }
    }

    private static ITextFormatter Formatter(IConfiguration configuration) =>
        "Json".Equals(configuration["Logging:Format"], StringComparison.OrdinalIgnoreCase)
            ? new JsonLineFormatter()
            : new TextLineFormatter();

    private static bool NamesConsole(IConfiguration configuration) =>
        configuration.GetSection("Serilog:WriteTo").AsEnumerable().Any(pair => pair.Value == "Console");

    private static void UseUtf8()
    {
        try
        {
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }
        catch (IOException)
        {
            // A Windows service has no console to set.
        }
    }
}
