using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Tests.Shared;

namespace Perch.Tests.Fakes;

/// <summary>The real pipeline around a handler, on a clock that a test moves.</summary>
internal sealed class TestPipeline : IDisposable
{
    private readonly ServiceProvider _provider = new ServiceCollection().AddMetrics().BuildServiceProvider();

    public TestPipeline(ILoggerFactory? loggers = null)
    {
        Registry = new(Time);
        Meters = _provider.GetRequiredService<IMeterFactory>();
        var metrics = new PerchMetrics(Meters, Registry);
        Services = new(Registry, metrics, new DescriptorBudget(DescriptorPlan.OfProcess, metrics, Time), Time, loggers ?? NullLoggerFactory.Instance);
    }

    public FakeTimeProvider Time { get; } = new();

    public IMeterFactory Meters { get; }

    public ConnectionRegistry Registry { get; }

    public PipelineServices Services { get; }

    public GuardOptions Guards { get; init; } = new();

    public int TotalConnections { get; init; } = 1000;

    /// <summary>What a connection calls when it has ended.</summary>
    public Func<ValueTask> Leave { get; init; } = static () => ValueTask.CompletedTask;

    /// <summary>The totals of the endpoint <c>test</c>.</summary>
    public TrafficTotals Totals => Registry.TrafficOf("test", "test").Totals();

    /// <summary>The one connection that has ended.</summary>
    public EndedConnection Ended => Assert.Single(Registry.Recent());

    public ConnectionDelegate Build(ConnectionHandler handler, string endpoint = "test") => ConnectionPipeline.Build(
        new EndpointConfig
        {
            Name = endpoint,
            Listen = new(null, 0, null, 1),
            Protocol = new("test", handler.GetType(), typeof(NoOptions)),
            Guards = Guards,
            TotalConnections = TotalConnections,
            Options = new(new NoOptions(), ""),
        },
        handler, Services, Leave);

    public Task ServeAsync(ConnectionHandler handler, InMemoryConnection connection)
    {
        // As in the server. The test runner's context would post what is to run in line.
        SynchronizationContext.SetSynchronizationContext(null);
        return Build(handler)(connection);
    }

    public Task ServeAsync(Func<ConnectionContext, Task> handler, InMemoryConnection connection) =>
        ServeAsync(new DelegateHandler(handler), connection);

    /// <summary>Moves the clock, and gives the heartbeat that follows.</summary>
    public void Pass(TimeSpan time, InMemoryConnection connection)
    {
        Time.Advance(time);
        connection.Heartbeat();
    }

    public void Dispose() => _provider.Dispose();
}

/// <summary>A handler from a delegate.</summary>
internal sealed class DelegateHandler(Func<ConnectionContext, Task> serve) : ConnectionHandler
{
    public override Task OnConnectedAsync(ConnectionContext connection) => serve(connection);
}
