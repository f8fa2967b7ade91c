using Microsoft.Extensions.Logging.Abstractions;
using Perch.FunctionalTests.Files.S3;
using Perch.Protocols.Files;
using Perch.Protocols.Files.Disk;
using Perch.Protocols.Files.S3;

namespace Perch.FunctionalTests.Files;

/// <summary>A place for files of one kind, and the stores that were opened on it.</summary>
internal sealed class StoreScene : IAsyncDisposable
{
    public const string Disk = "Disk";

    private readonly string _kind;
    private readonly List<IFileStore> _stores = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("perch-store-").FullName;

    private StoreScene(string kind, FileStoreOptions options, TimeProvider time) => (_kind, Options, Time) = (kind, options, time);

    public FileStoreOptions Options { get; }

    public TimeProvider Time { get; }

    /// <summary>The store that was opened last.</summary>
    public IFileStore Store => _stores[^1];

    public S3FileStore S3 => (S3FileStore)Store;

    public static async Task<StoreScene> OpenAsync(string kind, Action<FileStoreOptions>? configure = null, TimeProvider? time = null)
    {
        var options = kind == Disk ? new FileStoreOptions { MinFreeBytes = 0 } : await S3Server.OptionsAsync(kind);
        configure?.Invoke(options);
        var scene = new StoreScene(kind, options, time ?? TimeProvider.System);
        await scene.OpenStoreAsync();
        return scene;
    }

    /// <summary>As another process, beside the first where the kind allows it.</summary>
    public async Task<IFileStore> OpenStoreAsync()
    {
        IFileStore store = _kind == Disk
            ? new DiskFileStore(_folder, Options, Time, NullLogger<DiskFileStore>.Instance)
            : new S3FileStore(S3Settings.CreateClient(Options), Options, Path.Combine(_folder, "spool"), Time, NullLogger<S3FileStore>.Instance);
        _stores.Add(store);
        await store.OpenAsync(default);
        return store;
    }

    /// <summary>As an orderly stop and a start.</summary>
    public async Task<IFileStore> ReopenAsync()
    {
        await Store.DisposeAsync();
        _stores.RemoveAt(_stores.Count - 1);
        return await OpenStoreAsync();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var store in _stores) await store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
