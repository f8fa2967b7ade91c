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

namespace Perch.Records.Tests;

/// <summary>One <c>record</c> endpoint as the host makes it and the writer behind it, over a store of the test's.</summary>
internal sealed class RecordHost : IAsyncDisposable
{
    /// <summary>The options of the three default endpoints.</summary>
    public const string Once = """{ "Ack": "データ送信とDB保存完了", "Once": true }""";
    public const string Line = """{ "Framing": "Line", "Ack": "OK {id}\n" }""";
    public const string Syslog = """{ "Framing": "Syslog" }""";

    private readonly ServiceProvider _services;
    private readonly EndpointPipeline _pipeline;
    private bool _stopped;

    private RecordHost(IRecordStore store, string options, RecordsOptions? records, TimeProvider? time)
    {
        var json = $$"""{ "Perch": { "Endpoints": { "test": { "Port": 0, "Protocol": "record", "Options": {{options}} } } } }""";
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var services = new ServiceCollection();
        services.AddSingleton<IHostEnvironment>(new NoFiles());
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddSingleton(store);
        services.AddSingleton(records ?? new());
        services.AddSingleton<RecordMetrics>();
        services.AddSingleton<RecordWriter>();
        services.AddPerch(new ConfigurationBuilder().AddJsonStream(stream).Build()).AddProtocol<RecordHandler, RecordOptions>("record");
        _services = services.BuildServiceProvider();
        var config = _services.GetRequiredService<PerchConfigReader>().Read();
        _pipeline = new EndpointPipeline(config.Endpoints["test"], _services.GetRequiredService<IServiceScopeFactory>(), _services.GetRequiredService<PipelineServices>());
        Store = store as FakeStore ?? new();
        Readings = new(_services.GetRequiredService<IMeterFactory>());
        Writer = _services.GetRequiredService<RecordWriter>();
    }

    public FakeStore Store { get; }

    public RecordWriter Writer { get; }

    /// <summary>A writer of one lane has one queue.</summary>
    public RecordQueue Queue => Writer.NextQueue();

    public MeterReadings Readings { get; }

    /// <param name="options">The endpoint's <c>Options</c>, in JSON.</param>
    /// <param name="records">The store's section.</param>
    /// <param name="time">The clock.</param>
    /// <param name="store">The store; a <see cref="FakeStore"/> by default.</param>
    /// <exception cref="PerchConfigurationException">The options are refused.</exception>
    public static async Task<RecordHost> StartAsync(string options, RecordsOptions? records = null, TimeProvider? time = null, IRecordStore? store = null)
    {
        var host = new RecordHost(store ?? new FakeStore(), options, records, time);
        await host.Writer.StartingAsync(CancellationToken.None);
        return host;
    }

    public FakeLogRecord[] Logged(string name) => _services.GetFakeLogCollector().Named(name);

    public Peer Connect(bool trickle = false) => new(_pipeline, _services.GetRequiredService<ConnectionRegistry>(), trickle);

    /// <summary>So many records are queued or being committed.</summary>
    public Task QueuedAsync(int records) => Bounded.UntilAsync(() => Queue.Records == records);

    public async Task StopAsync()
    {
        _stopped = true;
        await Writer.StopAsync(CancellationToken.None).Soon();
    }

    public async ValueTask DisposeAsync()
    {
        Store.Release();
        Store.ReleaseOpen();
        await _pipeline.RetireAsync();
        if (!_stopped) await StopAsync();
        Readings.Dispose();
        await _services.DisposeAsync();
    }
}
