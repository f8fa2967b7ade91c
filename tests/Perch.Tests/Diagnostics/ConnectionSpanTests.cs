using System.Diagnostics;
using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Diagnostics;

public sealed class ConnectionSpanTests : IDisposable
{
    private readonly SpanRecorder _spans = new(PerchTracing.SourceName);
    private readonly TraceLog _log = new();
    private readonly TestPipeline _pipeline;
    private readonly string _endpoint = $"e{Guid.NewGuid():N}";

    public ConnectionSpanTests() => _pipeline = new(_log);

    public void Dispose()
    {
        _spans.Dispose();
        _pipeline.Dispose();
    }

    [Fact]
    public async Task Connection_EndedWell_SpanHasTheAttributesOfTheConnection()
    {
        var connection = new InMemoryConnection
        {
            RemoteEndPoint = new IPEndPoint(IPAddress.Parse("::ffff:192.0.2.7"), 50123),
            LocalEndPoint = new IPEndPoint(IPAddress.Loopback, 9998),
        };
        var serving = ServeAsync(EchoOnceAsync, connection);
        await connection.SendAsync("abc");
        await serving.Soon();

        var span = Assert.Single(_spans.OfEndpoint(_endpoint));
        Assert.Equal(("test", ActivityKind.Server), (span.DisplayName, span.Kind));
        Assert.Equal(default, span.ParentSpanId);
        Assert.Equal(ActivityStatusCode.Unset, span.Status);
        Assert.Equal(
            new Dictionary<string, object?>
            {
                ["perch.endpoint"] = _endpoint,
                ["perch.protocol"] = "test",
                ["network.transport"] = "tcp",
                ["client.address"] = "192.0.2.7",
                ["client.port"] = 50123,
                ["server.port"] = 9998,
                ["perch.outcome"] = "Completed",
                ["perch.bytes.received"] = 3L,
                ["perch.bytes.sent"] = 3L,
                ["perch.messages"] = 1L,
            },
            span.TagObjects.ToDictionary());
        Assert.Equal(["first_byte"], span.Events.Select(e => e.Name));
    }

    [Fact]
    public async Task Connection_WithoutBytes_HasNoFirstByte()
    {
        await ServeAsync(_ => Task.CompletedTask, new()).Soon();

        Assert.Empty(Assert.Single(_spans.OfEndpoint(_endpoint)).Events);
    }

    [Fact]
    public async Task Connection_OfAUnixSocket_HasNoAddress()
    {
        await ServeAsync(_ => Task.CompletedTask, new() { RemoteEndPoint = null }).Soon();

        var span = Assert.Single(_spans.OfEndpoint(_endpoint));
        Assert.Equal("unix", span.GetTagItem("network.transport"));
        Assert.DoesNotContain(span.TagObjects, tag => tag.Key is "client.address" or "client.port" or "server.port");
    }

    [Theory]
    [InlineData(ConnectionOutcome.Completed, false)]
    [InlineData(ConnectionOutcome.PeerClosed, false)]
    [InlineData(ConnectionOutcome.PeerReset, false)]
    [InlineData(ConnectionOutcome.Drained, false)]
    [InlineData(ConnectionOutcome.IdleTimeout, true)]
    [InlineData(ConnectionOutcome.Rejected, true)]
    [InlineData(ConnectionOutcome.ProtocolViolation, true)]
    [InlineData(ConnectionOutcome.DrainAborted, true)]
    [InlineData(ConnectionOutcome.HandlerFault, true)]
    [InlineData(ConnectionOutcome.StorageUnavailable, true)]
    public async Task Connection_Outcome_IsAnErrorIfItIsAFault(ConnectionOutcome outcome, bool isFault)
    {
        await ServeAsync(connection => Task.FromResult(ConnectionState.Of(connection)!.TrySetOutcome(outcome)), new()).Soon();

        var span = Assert.Single(_spans.OfEndpoint(_endpoint));
        Assert.Equal(outcome.ToString(), span.GetTagItem("perch.outcome"));
        Assert.Equal(isFault ? outcome.ToString() : null, span.GetTagItem("error.type"));
        Assert.Equal(isFault ? ActivityStatusCode.Error : ActivityStatusCode.Unset, span.Status);
    }

    [Fact]
    public async Task Connections_Interleaved_EachRunsInItsOwnTraceAndLeavesNoneBehind()
    {
        var connections = Enumerable.Range(0, 2).Select(_ => new InMemoryConnection(scheduler: PipeScheduler.Inline)).ToArray();
        var seen = new List<(string Connection, Activity? Current)>();
        using var ambient = new Activity("accept loop").Start();
        var serving = new List<Task>();
        foreach (var connection in connections)
        {
            serving.Add(ServeAsync(SeeAsync, connection));
            // As on a loop's thread, which goes on with the next connection.
            Assert.Same(ambient, Activity.Current);
        }

        for (var i = 0; i < 4; i++)
        {
            await connections[i % 2].SendAsync("x");
            Assert.Same(ambient, Activity.Current);
        }

        foreach (var connection in connections) connection.EndInput();
        await Task.WhenAll(serving).Soon();

        var spans = _spans.OfEndpoint(_endpoint);
        Assert.Equal(2, spans.Select(span => span.TraceId).Distinct().Count());
        Assert.All(spans, span => Assert.Equal(default, span.ParentSpanId));
        foreach (var group in seen.GroupBy(s => s.Connection))
        {
            // Once at the start, after each message, and at the end.
            Assert.Equal(4, group.Count());
            Assert.Contains(Assert.Single(group.Select(s => s.Current).Distinct()), spans);
        }

        async Task SeeAsync(ConnectionContext connection)
        {
            seen.Add((connection.ConnectionId, Activity.Current));
            while (true)
            {
                var read = await connection.Transport.Input.ReadAsync();
                connection.Transport.Input.AdvanceTo(read.Buffer.End);
                seen.Add((connection.ConnectionId, Activity.Current));
                if (read.IsCompleted) return;
            }
        }
    }

    [Fact]
    public async Task Connection_Ended_LogLineHasTheTraceId()
    {
        await ServeAsync(_ => Task.CompletedTask, new()).Soon();

        Assert.Equal(Assert.Single(_spans.OfEndpoint(_endpoint)).TraceId, _log.OfEndpoint(_endpoint));
    }

    [Fact]
    public async Task End_ByTheDrainWhileTheHandlerHangs_EndsTheSpanOnAnotherThread()
    {
        var release = new TaskCompletionSource();
        var connection = new InMemoryConnection();
        var serving = ServeAsync(_ => release.Task, connection);
        using var ambient = new Activity("stop").Start();
        OutcomeMiddleware.End(_pipeline.Services, ConnectionState.Of(connection)!, ConnectionOutcome.DrainAborted);

        Assert.Same(ambient, Activity.Current);
        var span = Assert.Single(_spans.OfEndpoint(_endpoint));
        Assert.Equal("DrainAborted", span.GetTagItem("error.type"));
        Assert.Equal(span.TraceId, _log.OfEndpoint(_endpoint));
        release.SetResult();
        await serving.Soon();
        Assert.Single(_spans.OfEndpoint(_endpoint));
    }

    [Fact]
    public async Task MarkStored_OverItsLimit_AddsNoMoreEvents()
    {
        await ServeAsync(
            _ =>
            {
                for (var i = 0; i < 2 * PerchTracing.MaxStoreEvents; i++) PerchTracing.MarkStored("perch.record.rows", i);
                return Task.CompletedTask;
            },
            new()).Soon();

        var events = Assert.Single(_spans.OfEndpoint(_endpoint)).Events.ToList();
        Assert.Equal(PerchTracing.MaxStoreEvents, events.Count);
        Assert.All(events, e => Assert.Equal("store", e.Name));
        Assert.Equal([new("perch.record.rows", 1L)], events[1].Tags);
    }

    [Fact]
    public async Task StartLinked_ManyConnections_LinksEachOnceUpToTheLimit()
    {
        var connections = Enumerable.Range(0, 200).Select(_ => new Activity("connection").Start()).ToArray();
        using var ambient = new Activity("other").Start();
        using var span = await StartAsync([null, .. connections.Take(100), .. connections]);

        Assert.NotNull(span);
        Assert.Equal(default, span.ParentSpanId);
        Assert.Same(ambient, Activity.Current);
        Assert.Equal(connections.Take(PerchTracing.MaxLinks).Select(c => c.SpanId), span.Links.Select(link => link.Context.SpanId));

        async Task<Activity?> StartAsync(Activity?[] linked)
        {
            await Task.CompletedTask;
            return PerchTracing.StartLinked("operation", linked);
        }
    }

    private static async Task EchoOnceAsync(ConnectionContext connection)
    {
        var read = await connection.Transport.Input.ReadAtLeastAsync(3);
        foreach (var part in read.Buffer) await connection.Transport.Output.WriteAsync(part);
        connection.Transport.Input.AdvanceTo(read.Buffer.End);
        ConnectionState.Of(connection)!.Messages++;
    }

    private Task ServeAsync(Func<ConnectionContext, Task> handler, InMemoryConnection connection)
    {
        // The test runner's context would post what runs inline in the server.
        SynchronizationContext.SetSynchronizationContext(null);
        return _pipeline.Build(new DelegateHandler(handler), _endpoint)(connection);
    }

    /// <summary>The trace in which each connection's last line was logged.</summary>
    private sealed class TraceLog : ILoggerFactory, ILogger
    {
        private readonly List<(string? Endpoint, ActivityTraceId? Trace)> _lines = [];

        public ActivityTraceId? OfEndpoint(string endpoint) => Assert.Single(_lines, line => line.Endpoint == endpoint).Trace;

        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id != 2000) return;
            var fields = (IReadOnlyList<KeyValuePair<string, object?>>)state!;
            _lines.Add((fields.Single(field => field.Key == "Endpoint").Value as string, Activity.Current?.TraceId));
        }

        public void Dispose()
        {
        }
    }
}
