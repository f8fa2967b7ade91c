using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Protocols.Files.Disk;

namespace Perch.Protocols.Files;

/// <summary>Adds the protocols <c>files</c> and <c>upload</c>, their store and what goes with them.</summary>
internal static class FileRegistration
{
    public static PerchBuilder AddFiles(this PerchBuilder builder)
    {
        builder.AddSection<FileStoreOptions>("Files")
            .AddProtocol<FilesHandler, FilesOptions>("files")
            .AddProtocol<UploadHandler, UploadOptions>("upload");
        builder.Services.AddSingleton<FileMetrics>();
        builder.Services.AddSingleton(CreateStore);
        builder.Services.AddSingleton<FileStoreService>();
        builder.Services.AddHostedService(services => services.GetRequiredService<FileStoreService>());
        builder.Services.AddHealthChecks().AddCheck<FilesHealthCheck>("files");
        return builder;
    }

    private static IFileStore CreateStore(IServiceProvider services)
    {
        var options = services.GetRequiredService<FileStoreOptions>();
        var path = Path.GetFullPath(options.Path, services.GetRequiredService<IHostEnvironment>().ContentRootPath);
        return new DiskFileStore(path, options, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<DiskFileStore>>());
    }
}
