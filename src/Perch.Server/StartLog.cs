namespace Perch.Server;

/// <summary>The first line of the log: which program runs, and with which files.</summary>
internal static partial class StartLog
{
    public static void Write(WebApplication app)
    {
        var paths = from source in ((IConfigurationBuilder)app.Configuration).Sources.OfType<FileConfigurationSource>()
                    let file = source.FileProvider?.GetFileInfo(source.Path ?? "")
                    where file is { Exists: true, PhysicalPath: not null }
                    select file.PhysicalPath;
        var files = string.Join(", ", paths);
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Perch.Server");
        Log.Starting(logger, ServerVersion.Text, app.Environment.ContentRootPath, files);
    }

    private static partial class Log
    {
        [LoggerMessage(EventId = 1050, Level = LogLevel.Information, EventName = "ServerStarting",
            Message = "perch-server {Version} starts: content root {ContentRoot}, configuration {Files}")]
        public static partial void Starting(ILogger logger, string version, string contentRoot, string files);
    }
}
