using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Diagnostics;
using Perch.Files.Disk;

namespace Perch.Files;

/// <summary>Adds the protocols <c>files</c> and <c>upload</c> and stores of files.</summary>
public static class FileRegistration
{
    private const string Section = "Files";

    /// <summary>Adds the protocols <c>files</c> and <c>upload</c>, the section <c>Perch:Files</c> and the store <c>Disk</c>.</summary>
    /// <param name="builder">The builder.</param>
    /// <returns>The builder.</returns>
    public static PerchBuilder AddFiles(this PerchBuilder builder)
    {
        builder.AddSection<FileStoreOptions>(Section)
            .AddProtocol<FilesHandler, FilesOptions>("files")
            .AddProtocol<UploadHandler, UploadOptions>("upload");
        builder.AddStore(DiskFileStore.StoreName, CreateDisk);
        builder.Services.AddSingleton<FileMetrics>();
        builder.Services.AddSingleton(ChosenStore);
        builder.Services.AddSingleton<FileStoreService>();
        builder.Services.AddHostedService(services => services.GetRequiredService<FileStoreService>());
        builder.Services.AddHealthChecks().AddCheck<FilesHealthCheck>("files");
        return builder;
    }

    /// <summary>Adds a store that <c>Perch:Files:Store</c> can name.</summary>
    /// <typeparam name="TOptions">Its options, read from <c>Perch:Files</c>: keys that they have are no faults while another store is used.</typeparam>
    /// <param name="builder">The builder.</param>
    /// <param name="name">The name, in any case.</param>
    /// <param name="create">Creates the store when it is chosen.</param>
    /// <returns>The builder.</returns>
    internal static PerchBuilder AddFileStore<TOptions>(this PerchBuilder builder, string name, Func<IServiceProvider, IFileStore> create)
        where TOptions : class, new() =>
        builder.AddSection<TOptions>(Section).AddStore(name, create);

    private static PerchBuilder AddStore(this PerchBuilder builder, string name, Func<IServiceProvider, IFileStore> create)
    {
        builder.AddChoice(Section, nameof(FileStoreOptions.Store), name);
        builder.Services.AddSingleton(new FileStoreRegistration(name, create));
        return builder;
    }

    private static IFileStore ChosenStore(IServiceProvider services)
    {
        var chosen = services.GetRequiredService<FileStoreOptions>().Store;
        var store = services.GetServices<FileStoreRegistration>().Last(store => store.Name.Equals(chosen, StringComparison.OrdinalIgnoreCase)).Create(services);
        return new BudgetedFileStore(store, services.GetRequiredService<IDescriptorBudget>());
    }

    private static DiskFileStore CreateDisk(IServiceProvider services)
    {
        var options = services.GetRequiredService<FileStoreOptions>();
        var path = Path.GetFullPath(options.Path, services.GetRequiredService<IHostEnvironment>().ContentRootPath);
        services.GetRequiredService<FileMetrics>().ObserveDisk(path);
        return new(path, options, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<DiskFileStore>>());
    }
}
