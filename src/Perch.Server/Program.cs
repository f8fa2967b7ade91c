using Perch;
using Perch.Protocols;
using Perch.Server;
using Perch.Server.Admin;
using Perch.Server.Logging;
using Perch.Server.Telemetry;

try
{
    var command = ServerCommand.Parse(args);
    var builder = WebApplication.CreateEmptyBuilder(new()
    {
        ApplicationName = "perch-server",
        ContentRootPath = command.ContentRoot,
        EnvironmentName = command.Environment,
    });
    builder.Configuration.AddServerLayers(command);
    if (command.Verb == ServerVerb.Health) return await HealthProbe.RunAsync(builder.Configuration);

    builder.Logging.AddPerchLogging(builder.Configuration);
    builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
    builder.WebHost.ConfigureKestrel(kestrel => kestrel.Configure(builder.Configuration.GetSection("Kestrel")));
    builder.Services.AddRoutingCore();
    builder.Services.AddPerch(builder.Configuration).AddBuiltInProtocols();
    builder.Services.AddPerchTelemetry(builder.Configuration);
    builder.Services.AddSingleton<IHostLifetime, SignalLifetime>();

    await using var app = builder.Build();
    if (command.Verb == ServerVerb.Check) return await ConfigurationCheck.RunAsync(app.Services);
    app.MapAdmin();
    await app.RunAsync();
    return ExitCode.Stopped;
}
catch (Exception exception) when (ExitCode.Of(exception) is { } code)
{
    await Console.Error.WriteLineAsync($"perch-server: {exception.Message}");
    return code;
}
