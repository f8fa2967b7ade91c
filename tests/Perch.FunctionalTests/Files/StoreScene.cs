using Microsoft.Extensions.Logging.Abstractions;
using Perch.Files;
using Perch.Files.Disk;
using Perch.Files.S3;
using Perch.FunctionalTests.Files.S3;

namespace Perch.FunctionalTests.Files;

/// <summary>A place for files of one kind, and the stores that were opened on it.</summary>
internal sealed class StoreScene : IAsyncDisposable
{
    public const string Disk = "Disk";

    private readonly string _kind;
    private readonly List<IFileStore> _stores = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("perch-store-").FullName;

    private StoreScene(string kind, S3Options options, TimeProvider time) => (_kind, Options, Time) = (kind, options, time);

    public S3Options Options { get; }

    public TimeProvider Time { get; }

    /// <summary>The store that was opened last.</summary>
    public IFileStore Store => _stores[^1];

    public S3FileStore S3 => (S3FileStore)Store;

    public static async Task<StoreScene> OpenAsync(string kind, Action<S3Options>? configure = null, TimeProvider? time = null)
    {
        var options = kind == Disk ? new S3Options { MinFreeBytes = 0 } : await S3Server.OptionsAsync(kind);
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
