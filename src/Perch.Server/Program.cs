using Perch.Diagnostics;
using Perch.Server;
using Perch.Server.Admin;

using var signals = new StopSignals();
try
{
    var command = ServerCommand.Parse(args);
    if (command.Verb == ServerVerb.Help) return await ServerCommand.PrintHelpAsync();
    var builder = ServerApplication.CreateBuilder(command);
    if (command.Verb == ServerVerb.Health) return await HealthProbe.RunAsync(builder.Configuration);

    using var reload = command.Verb == ServerVerb.Serve ? new ReloadSignal() : null;
    builder.Services.AddSingleton(signals).AddSingleton<IHostLifetime, SignalLifetime>();
    await using var app = builder.BuildServer();
    if (command.Verb == ServerVerb.Check) return await ConfigurationCheck.RunAsync(app.Services);
    if (command.Verb == ServerVerb.VerifyFiles) return await FileVerification.RunAsync(app.Services);
    if (command.BackupTarget is { } target) return await RecordBackup.RunAsync(app.Services, target);
    app.MapAdmin();
    if (reload is not null) reload.Requested = app.Services.GetRequiredService<PerchStatus>().ReloadConfiguration;
    await app.RunAsync();
    return ExitCode.Stopped;
}
catch (Exception exception) when (ExitCode.Of(exception) is { } code)
{
    // Of a file that cannot be read only the innermost exception knows the line.
    var cause = exception is InvalidDataException ? $" {exception.GetBaseException().Message}" : "";
    await Console.Error.WriteLineAsync($"perch-server: {exception.Message}{cause}");
    return code;
}
