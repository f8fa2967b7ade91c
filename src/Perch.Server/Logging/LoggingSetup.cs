using System.Text;
using Perch.Configuration;
using Serilog;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Settings.Configuration;

namespace Perch.Server.Logging;

/// <summary>All of logging's set-up: Serilog behind Microsoft.Extensions.Logging.</summary>
internal static class LoggingSetup
{
    private const int BufferedLines = 10_000;

    /// <summary>
    /// Everything in the section <c>Serilog</c> applies (levels, overrides, sinks). The console is Perch's own unless
    /// <c>Serilog:WriteTo</c> names a Console itself; <c>Logging:Format</c> makes it <c>Text</c> (default) or <c>Json</c>.
    /// The lines go to <paramref name="console"/>; null is standard output, in UTF-8.
    /// </summary>
    /// <exception cref="PerchConfigurationException"><c>Logging:Format</c> is neither Text nor Json.</exception>
    public static ILoggingBuilder AddPerchLogging(this ILoggingBuilder logging, IConfiguration configuration, TextWriter? console = null)
    {
        var formatter = Formatter(configuration);
        var buffer = new LogBuffer();
        var setup = new LoggerConfiguration()
            .MinimumLevel.Information()
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Information)
            // It logs what it throws too, with the stack: Program tells it once, and without where it was to be expected.
            .MinimumLevel.Override("Microsoft.Extensions.Hosting.Internal.Host", LogEventLevel.Fatal)
            // It logs each probe that finds the server not ready: the answer says so, and what made it so was logged.
            .MinimumLevel.Override("Microsoft.Extensions.Diagnostics.HealthChecks", LogEventLevel.Fatal)
            .Enrich.With<ConnectionEnricher>()
            .ReadFrom.Configuration(configuration, ReaderOptions(configuration));
        if (!NamesConsole(configuration))
        {
            // A peer's connection must never wait for a terminal or a log collector that does not read: when the buffer is
            // full, lines are dropped and counted (perch_log_dropped_total). At the end the buffer is written out.
            var sink = new ConsoleSink(console ?? StandardOutput(), formatter);
            setup.WriteTo.Async(to => to.Sink(sink), bufferSize: BufferedLines, blockWhenFull: false, monitor: buffer);
        }

        var logger = setup.CreateLogger();
        logging.ClearProviders();
        logging.Services.AddSingleton(buffer);
        // Swap here: with Serilog.AspNetCore this is services.AddSerilog(logger, dispose: true).
        return logging.AddSerilog(logger, dispose: true);
    }

    private static ITextFormatter Formatter(IConfiguration configuration) => configuration["Logging:Format"] switch
    {
        null or "" => new TextLineFormatter(),
        var format when format.Equals("Text", StringComparison.OrdinalIgnoreCase) => new TextLineFormatter(),
        var format when format.Equals("Json", StringComparison.OrdinalIgnoreCase) => new JsonLineFormatter(),
        var format => throw new PerchConfigurationException([new("Logging:Format", $"'{format}' is not a known format", "Write Text or Json")]),
    };

    // The sinks that come with Perch are named, because a single-file executable has no list of assemblies to search.
    private static ConfigurationReaderOptions ReaderOptions(IConfiguration configuration) =>
        configuration.GetSection("Serilog:Using").Exists()
            ? new()
            : new(typeof(ConsoleLoggerConfigurationExtensions).Assembly,
                typeof(FileLoggerConfigurationExtensions).Assembly,
                typeof(LoggerConfigurationAsyncExtensions).Assembly);

    private static bool NamesConsole(IConfiguration configuration) =>
        configuration.GetSection("Serilog:WriteTo").AsEnumerable().Any(pair => pair.Value == "Console");

    private static TextWriter StandardOutput()
    {
        try
        {
            Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        }
        catch (IOException)
        {
            // A Windows service has no console to set.
        }
        return Console.Out;
    }
}
