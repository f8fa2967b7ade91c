using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Files;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

/// <summary>One <c>tftp</c> endpoint as the host makes it, on a real socket of loopback, over a disk store in a folder of its own.</summary>
internal sealed class TftpHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly EndpointManager _manager;
    private readonly FileFolder _folder = new();

    private TftpHost(string options, string store, string guards, string drain, TimeProvider? time, Action<IServiceCollection>? configure)
    {
        var json = $$"""
            { "Perch": {
                "Endpoints": { "test": { "Port": 0, "Transport": "Udp", "Protocol": "tftp", "Options": {{options}}, "Guards": {{guards}} } },
                "Shutdown": { "Drain": "{{drain}}" },
                "Files": { "Path": "{{_folder.Root}}", "MinFreeBytes": 0{{store}} } } }
            """;
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var services = new ServiceCollection();
        services.AddSingleton<IHostEnvironment>(new NoFiles());
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddPerch(new ConfigurationBuilder().AddJsonStream(stream).Build()).AddAllProtocols();
        configure?.Invoke(services);
        _services = services.BuildServiceProvider();
        _manager = _services.GetRequiredService<EndpointManager>();
        Readings = new(_services.GetRequiredService<IMeterFactory>());
    }

    public IFileStore Store => _services.GetRequiredService<IFileStore>();

    public FileFolder Folder => _folder;

    public MeterReadings Readings { get; }

    public ConnectionRegistry Registry => _services.GetRequiredService<ConnectionRegistry>();

    public DatagramTraffic Traffic => Registry.TrafficOf("test", "tftp").Datagrams();

    public IPEndPoint EndPoint => new(IPAddress.Loopback, _manager.Status().Single().Port!.Value);

    public DescriptorBudget Descriptors => _services.GetRequiredService<DescriptorBudget>();

    private FileStoreService Files => _services.GetRequiredService<FileStoreService>();

    /// <param name="options">The endpoint's <c>Options</c>, in JSON.</param>
    /// <param name="store">More members of <c>Perch:Files</c>, beginning with a comma.</param>
    /// <param name="guards">The endpoint's <c>Guards</c>.</param>
    /// <param name="drain">How long a drain may take.</param>
    /// <param name="time">The clock.</param>
    /// <param name="configure">Changes the services of the host.</param>
    public static async Task<TftpHost> StartAsync(
        string options = "{}", string store = "", string guards = "{}", string drain = "00:00:10", TimeProvider? time = null,
        Action<IServiceCollection>? configure = null)
    {
        var host = new TftpHost(options, store, guards, drain, time, configure);
        await host.Files.StartingAsync(default);
        await host.Files.GetAsync();
        await host._manager.StartAsync(default);
        return host;
    }

    public TftpPeer Connect(string from = "127.0.0.1", int port = 0) => new(EndPoint, IPAddress.Parse(from), port);

    public FakeLogRecord[] Logged(string name) => _services.GetFakeLogCollector().Named(name);

    /// <summary>How many transfers ended so.</summary>
    public double Ended(string outcome, string direction = "read") => Readings.Sum("perch.tftp.transfers", $"direction={direction} endpoint=test outcome={outcome}");

    public double Active => Readings.Of("perch.tftp.active").Sum(r => r.Value);

    public Task UntilEndedAsync(string outcome, string direction = "read", int times = 1) => Bounded.UntilAsync(() => Ended(outcome, direction) == times);

    public Task DrainAsync() => _manager.StoppingAsync(default);

    public async ValueTask DisposeAsync()
    {
        await _manager.StoppingAsync(default).Soon();
        await Files.StopAsync(default);
        Readings.Dispose();
        await _services.DisposeAsync();
        _folder.Dispose();
    }

    private sealed class NoFiles : IHostEnvironment
    {
        public string ApplicationName { get; set; } = "test";

        public IFileProvider ContentRootFileProvider { get; set; } = new NullFileProvider();

        public string ContentRootPath { get; set; } = "/";

        public string EnvironmentName { get; set; } = "Test";
    }
}
