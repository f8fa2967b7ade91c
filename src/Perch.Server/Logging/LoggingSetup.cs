using System.Text;
using Perch.Configuration;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;
using Serilog.Settings.Configuration;

namespace Perch.Server.Logging;

/// <summary>Set-up of Serilog as the logger of the host.</summary>
internal static class LoggingSetup
{
    private const int BufferedLines = 10_000;

    /// <summary>
    /// Everything in the section <c>Serilog</c> applies (levels, overrides, sinks). The console is Perch's own unless
    /// <c>Serilog:WriteTo</c> names a Console itself; <c>Logging:Format</c> makes it <c>Text</c> (default) or <c>Json</c>.
    /// Other logging providers of the host, such as OpenTelemetry's, get the same lines.
    /// </summary>
    /// <param name="services">The services of the host.</param>
    /// <param name="configuration">The configuration that has the sections <c>Logging</c> and <c>Serilog</c>.</param>
    /// <param name="console">Creates the sink that takes the place of standard output; null is standard output, in UTF-8.</param>
    /// <exception cref="PerchConfigurationException"><c>Logging:Format</c> is neither Text nor Json.</exception>
    public static IServiceCollection AddPerchLogging(
        this IServiceCollection services, IConfiguration configuration, Func<ITextFormatter, ILogEventSink>? console = null)
    {
        var formatter = Formatter(configuration);
        var buffer = new LogBuffer();
        if (console is null)
            UseUtf8();
        return services
            .AddLogging()
            .AddSingleton(buffer)
            .AddSerilog(Configure, preserveStaticLogger: true, writeToProviders: true);

        void Configure(LoggerConfiguration setup)
        {
            setup
                .MinimumLevel.Information()
                .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
                .MinimumLevel.Override("Microsoft.Hosting.Lifetime", LogEventLevel.Information)
                // The host logs the exception that it throws, with the stack: Program reports the exception once.
                .MinimumLevel.Override("Microsoft.Extensions.Hosting.Internal.Host", LogEventLevel.Fatal)
                // It logs each probe that finds the server not ready: the answer says so, and the cause was logged before.
                .MinimumLevel.Override("Microsoft.Extensions.Diagnostics.HealthChecks", LogEventLevel.Fatal)
                .Enrich.With<ConnectionEnricher>()
                .ReadFrom.Configuration(configuration, ReaderOptions(configuration));
            if (NamesConsole(configuration))
                return;
            // A peer's connection must never wait for a terminal or a log collector that does not read: while the buffer is
            // full, lines are dropped and counted (perch_log_dropped_total). At the end the buffer is written out.
            setup.WriteTo.Async(
                to => _ = console is null ? to.Console(formatter) : to.Sink(console(formatter)),
                bufferSize: BufferedLines, blockWhenFull: false, monitor: buffer);
        }
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
