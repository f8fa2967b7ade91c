using Perch.Datagrams;
using Perch.Wire;
using Serilog;
using Serilog.AspNetCore;
using Serilog.Events;

namespace Perch.Server.Admin;

/// <summary>
/// One log line for each request to the admin endpoint: Debug for health and metrics, Information for the rest, Warning for a
/// refused request. Refused requests get one line per second at most, which states the number of the others. A line contains neither
/// the query string nor a header.
/// </summary>
internal sealed class AccessLog(TimeProvider time, Microsoft.Extensions.Logging.ILogger levels)
{
    /// <summary>The level of a line that is not written.</summary>
    private const LogEventLevel Suppressed = LogEventLevel.Verbose;

    private const string Template = "{Method} {Path} of {Client} was answered {StatusCode} after {Elapsed:0.0} ms ({Held} further refusals)";

    private const int MaxPathChars = 256;

    private readonly LogGate _refusals = new(time);

    public static void Use(WebApplication app)
    {
        var services = app.Services;
        var levels = services.GetRequiredService<ILoggerFactory>().CreateLogger("Serilog.AspNetCore.RequestLoggingMiddleware");
        var log = new AccessLog(services.GetRequiredService<TimeProvider>(), levels);
        var logger = new LoggerConfiguration().MinimumLevel.Debug()
            .WriteTo.Logger(services.GetRequiredService<Serilog.ILogger>(), attemptDispose: false).CreateLogger();
        app.UseSerilogRequestLogging(options => log.Configure(options, logger));
    }

    private void Configure(RequestLoggingOptions options, Serilog.ILogger logger)
    {
        options.Logger = logger;
        options.MessageTemplate = Template;
        options.GetLevel = (context, _, exception) => LevelOf(context, exception);
        options.GetMessageTemplateProperties = (context, path, elapsed, status) =>
        [
            new("Method", new ScalarValue(PeerText.Escape(context.Request.Method, maxChars: 16))),
            new("Path", new ScalarValue(PeerText.Escape(path, MaxPathChars))),
            new("Client", new ScalarValue(context.Connection.RemoteIpAddress?.ToString() ?? "unix")),
            new("StatusCode", new ScalarValue(status)),
            new("Elapsed", new ScalarValue(elapsed)),
            new("Held", new ScalarValue(context.Items[this] as long? ?? 0)),
        ];
    }

    private LogEventLevel LevelOf(HttpContext context, Exception? exception)
    {
        if (exception is not null)
            return LogEventLevel.Error;
        if (context.Response.StatusCode is not (StatusCodes.Status401Unauthorized or StatusCodes.Status403Forbidden))
        {
            if (IsProbe(context.Request.Path))
                return levels.IsEnabled(LogLevel.Debug) ? LogEventLevel.Debug : Suppressed;
            return levels.IsEnabled(LogLevel.Information) ? LogEventLevel.Information : Suppressed;
        }

        if (!levels.IsEnabled(LogLevel.Warning) || !_refusals.TryPass(out var held))
            return Suppressed;
        context.Items[this] = held;
        return LogEventLevel.Warning;
    }

    private static bool IsProbe(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments("/metrics");
}
