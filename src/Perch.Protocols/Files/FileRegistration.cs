using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Diagnostics;
using Perch.Protocols.Files.Disk;
using Perch.Protocols.Files.S3;

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
        var (options, time) = (services.GetRequiredService<FileStoreOptions>(), services.GetRequiredService<TimeProvider>());
        var root = services.GetRequiredService<IHostEnvironment>().ContentRootPath;
        var path = Path.GetFullPath(options.Path, root);
        if (options.Store == FileStoreKind.Disk)
            services.GetRequiredService<FileMetrics>().ObserveDisk(path);
        IFileStore store = options.Store == FileStoreKind.S3
            ? new S3FileStore(S3Settings.CreateClient(options), options, Path.GetFullPath(options.Spool, root), time, services.GetRequiredService<ILogger<S3FileStore>>())
            : new DiskFileStore(path, options, time, services.GetRequiredService<ILogger<DiskFileStore>>());
        return new BudgetedFileStore(store, services.GetRequiredService<IDescriptorBudget>());
    }
}
