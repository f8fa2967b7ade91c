using Perch.Files;
using Perch.Files.S3;
using Perch.Protocols;
using Perch.Records;
using Perch.Records.Postgres;
using Perch.Server.Admin;
using Perch.Server.Configuration;
using Perch.Server.Logging;
using Perch.Server.Telemetry;
using Perch.Tftp;
using Serilog.Core;
using Serilog.Formatting;

namespace Perch.Server;

/// <summary>The server in one piece, so that a test runs what the executable runs.</summary>
internal static class ServerApplication
{
    /// <summary>A builder that has the configuration, and nothing else yet.</summary>
    public static WebApplicationBuilder CreateBuilder(ServerCommand command)
    {
        var builder = WebApplication.CreateEmptyBuilder(new()
        {
            ApplicationName = "perch-server",
            ContentRootPath = command.ContentRoot,
            EnvironmentName = command.Environment,
        });
        builder.Configuration.AddServerLayers(command);
        return builder;
    }

    /// <param name="builder">From <see cref="CreateBuilder"/>.</param>
    /// <param name="console">Creates the sink that takes the place of standard output; null is standard output.</param>
    /// <param name="configure">Adds protocols and services to those of the executable.</param>
    public static WebApplication BuildServer(
        this WebApplicationBuilder builder, Func<ITextFormatter, ILogEventSink>? console = null, Action<PerchBuilder>? configure = null)
    {
        builder.Services.AddPerchLogging(builder.Configuration, console);
        builder.Services.AddSingleton(new RecordReadOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Configure(builder.Configuration.GetSection("Kestrel"));
            KestrelLimits.Read(builder.Configuration, kestrel.Limits, []);
            kestrel.LimitAdminConnections();
        });
        builder.Services.AddRoutingCore();
        var perch = builder.Services.AddPerch(builder.Configuration);
        // First, so that it sees the data before a store is opened.
        builder.Services.AddHostedService<DataModesCheck>();
        perch.AddBuiltInProtocols().AddRecords().AddPostgresRecords().AddFiles().AddS3Files().AddTftp();
        builder.Services.AddConfigurationRules();
        builder.Services.AddAdminConnections(builder.Configuration);
        builder.Services.AddSingleton<AdminAccess>().AddSingleton<RecordStream>();
        builder.Services.AddPerchTelemetry(builder.Configuration);
        configure?.Invoke(perch);
        return builder.Build();
    }
}
