using System.Diagnostics.Metrics;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Perch.Configuration;
using Perch.Connections;
using Perch.Endpoints;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

/// <summary>One <c>files</c> or <c>upload</c> endpoint as the host makes it, over a disk store in a folder of its own.</summary>
internal sealed class FileHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly EndpointPipeline _pipeline;
    private readonly FileFolder _folder = new();

    private FileHost(
        string protocol, string options, string store, string guards, TimeProvider? time, string? path, Func<IFileStore, IFileStore>? wrap)
    {
        var json = $$"""
            { "Perch": {
                "Endpoints": { "test": { "Port": 0, "Protocol": "{{protocol}}", "Options": {{options}}, "Guards": {{guards}} } },
                "Files": { "Path": "{{path ?? _folder.Root}}", "MinFreeBytes": 0{{store}} } } }
            """;
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var services = new ServiceCollection();
        services.AddSingleton<IHostEnvironment>(new NoFiles());
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddPerch(new ConfigurationBuilder().AddJsonStream(stream).Build()).AddAllProtocols();
        if (wrap is not null && services.Single(service => service.ServiceType == typeof(IFileStore)).ImplementationFactory is { } create)
            services.AddSingleton(provider => wrap((IFileStore)create(provider)));
        _services = services.BuildServiceProvider();
        var config = _services.GetRequiredService<PerchConfigReader>().Read();
        Readings = new(_services.GetRequiredService<IMeterFactory>());
        _pipeline = new EndpointPipeline(config.Endpoints["test"], _services.GetRequiredService<IServiceScopeFactory>(), _services.GetRequiredService<PipelineServices>());
    }

    public FileFolder Folder => _folder;

    public FileStoreService Files => _services.GetRequiredService<FileStoreService>();

    public IFileStore Store => _services.GetRequiredService<IFileStore>();

    public MeterReadings Readings { get; }

    /// <param name="protocol">The protocol.</param>
    /// <param name="options">The endpoint's <c>Options</c>, in JSON.</param>
    /// <param name="store">More members of <c>Perch:Files</c>, beginning with a comma.</param>
    /// <param name="guards">The endpoint's <c>Guards</c>.</param>
    /// <param name="time">The clock.</param>
    /// <param name="path">Another folder than its own.</param>
    /// <param name="wrap">Puts a store of the test's around the disk's.</param>
    public static async Task<FileHost> StartAsync(
        string protocol = "files", string options = "{}", string store = "", string guards = "{}", TimeProvider? time = null,
        string? path = null, Func<IFileStore, IFileStore>? wrap = null)
    {
        var host = new FileHost(protocol, options, store, guards, time, path, wrap);
        await host.Files.StartingAsync(default);
        if (path is null) await host.Files.GetAsync();
        return host;
    }

    public FakeLogRecord[] Logged(string name) => _services.GetFakeLogCollector().Named(name);

    public Peer Connect(bool trickle = false) => new(_pipeline, _services.GetRequiredService<ConnectionRegistry>(), trickle);

    public async ValueTask DisposeAsync()
    {
        await _pipeline.RetireAsync();
        await Files.StopAsync(default);
        Readings.Dispose();
        await _services.DisposeAsync();
        _folder.Dispose();
    }
}
