using System.IO.Pipelines;
using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Perch.Tests.Datagrams;
using Perch.Tests.Fakes;
using Xunit.Abstractions;

namespace Perch.Tests.Diagnostics;

/// <summary>
/// Memory that the pipeline allocates for one connection while no trace listener exists. The whole connection runs on the test's
/// thread, so the number is exact. The collection runs alone: a listener of another test would switch tracing on.
/// </summary>
[Collection(nameof(DatagramAllocationTests))]
public sealed class ConnectionAllocationTests(ITestOutputHelper output)
{
    private const int Connections = 1_000;

#if DEBUG
    private const string? NotHere = "a Debug build allocates for every async call: dotnet test -c Release";
#else
    private const string? NotHere = null;
#endif

    /// <summary>Bytes that one connection allocated before the pipeline had spans: 64-bit, Release.</summary>
    private const double BytesBeforeSpans = 824;

    [Fact(Skip = NotHere)]
    public void Connection_WithoutATraceListener_AllocatesNoMoreThanBefore()
    {
        SynchronizationContext.SetSynchronizationContext(null);
        using var pipeline = new TestPipeline();
        var handler = new WaitingHandler();
        var serve = pipeline.Build(handler);
        Measure(serve, handler);
        var each = Measure(serve, handler);

        output.WriteLine($"{each:0.0} bytes a connection");
        Assert.InRange(each, 1, BytesBeforeSpans);
    }

    /// <returns>Bytes per connection, without those of the connection itself.</returns>
    private static double Measure(ConnectionDelegate serve, WaitingHandler handler)
    {
        var connections = Enumerable.Range(0, Connections).Select(i => new BareConnection(i)).ToArray();
        var waits = Enumerable.Range(0, Connections).Select(_ => new TaskCompletionSource()).ToArray();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < Connections; i++)
        {
            handler.Wait = waits[i];
            var served = serve(connections[i]);
            waits[i].SetResult();
            // An assertion would allocate.
            if (!served.IsCompletedSuccessfully) throw new InvalidOperationException("The connection left the test's thread.");
        }

        return (GC.GetAllocatedBytesForCurrentThread() - before) / (double)Connections;
    }

    /// <summary>Waits as a handler does whose peer is silent.</summary>
    private sealed class WaitingHandler : ConnectionHandler
    {
        public TaskCompletionSource Wait { get; set; } = new();

        public override Task OnConnectedAsync(ConnectionContext connection) => Wait.Task;
    }

    /// <summary>A connection without bytes, whose close completes at once.</summary>
    private sealed class BareConnection : ConnectionContext, IDuplexPipe
    {
        private static readonly PipeReader Nothing = PipeReader.Create(Stream.Null);
        private static readonly PipeWriter Nowhere = PipeWriter.Create(Stream.Null);

        public BareConnection(int number)
        {
            (ConnectionId, RemoteEndPoint) = ($"c{number}", new IPEndPoint(IPAddress.Loopback, number));
            // The dictionary within is made with the first feature.
            Features.Set(this);
        }

        public override string ConnectionId { get; set; }

        public override IFeatureCollection Features { get; } = new FeatureCollection(16);

        public override IDictionary<object, object?> Items { get; set; } = new Dictionary<object, object?>();

        public override IDuplexPipe Transport
        {
            get => this;
            set => _ = value;
        }

        public PipeReader Input => Nothing;

        public PipeWriter Output => Nowhere;
    }
}
