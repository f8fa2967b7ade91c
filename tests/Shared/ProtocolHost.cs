using System.Text;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Perch.Configuration;
using Perch.Connections;
using Perch.Endpoints;

namespace Perch.Tests.Shared;

/// <summary>
/// One endpoint of a built-in protocol as the host makes it, from the options that an operator writes to the outcome,
/// with connections that have no sockets.
/// </summary>
internal sealed class ProtocolHost : IAsyncDisposable
{
    private readonly ServiceProvider _services;
    private readonly EndpointPipeline _pipeline;

    /// <param name="protocol">The protocol's name.</param>
    /// <param name="options">The endpoint's <c>Options</c>, in JSON.</param>
    /// <param name="time">The clock.</param>
    /// <exception cref="PerchConfigurationException">The options are refused.</exception>
    public ProtocolHost(string protocol, string options = "{}", TimeProvider? time = null)
    {
        var json = $$"""{ "Perch": { "Endpoints": { "test": { "Port": 0, "Protocol": "{{protocol}}", "Options": {{options}} } } } }""";
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var services = new ServiceCollection();
        services.AddSingleton<IHostEnvironment>(new NoFiles());
        services.AddLogging(logging => logging.AddFakeLogging());
        services.AddSingleton(time ?? TimeProvider.System);
        services.AddPerch(new ConfigurationBuilder().AddJsonStream(stream).Build()).AddAllProtocols();
        _services = services.BuildServiceProvider();
        var config = _services.GetRequiredService<PerchConfigReader>().Read();
        _pipeline = new EndpointPipeline(config.Endpoints["test"], _services.GetRequiredService<IServiceScopeFactory>(), _services.GetRequiredService<PipelineServices>());
    }

    /// <summary>The events of this name, in order.</summary>
    public FakeLogRecord[] Logged(string name) => _services.GetFakeLogCollector().Named(name);

    /// <summary>A peer connects.</summary>
    /// <param name="trickle">What it sends is read one byte at a time.</param>
    public Peer Connect(bool trickle = false) => new(_pipeline, _services.GetRequiredService<ConnectionRegistry>(), trickle);

    public async ValueTask DisposeAsync()
    {
        await _pipeline.RetireAsync();
        await _services.DisposeAsync();
    }
}
