using System.IO.Pipelines;
using System.Text;
using Perch.Connections;
using Perch.Endpoints;

namespace Perch.Tests.Shared;

/// <summary>The client's side of one connection. Nothing here waits for ever.</summary>
internal sealed class Peer
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(20);

    private readonly ConnectionRegistry _registry;
    private readonly Task _served;

    public Peer(EndpointPipeline pipeline, ConnectionRegistry registry, bool trickle)
    {
        _registry = registry;
        if (trickle) Connection.Transport = new Duplex(new OneByteReader(Connection.Transport.Input), Connection.Transport.Output);
        Assert.True(pipeline.TryEnter());
        _served = pipeline.ServeAsync(Connection);
    }

    /// <summary>For the drain, heartbeats and resets.</summary>
    public InMemoryConnection Connection { get; } = new();

    public Task SendAsync(ReadOnlyMemory<byte> bytes) => Connection.SendAsync(bytes).WaitAsync(Bound);

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    /// <summary>The peer closes its side.</summary>
    public void EndInput() => Connection.EndInput();

    public Task<byte[]> ReceiveAsync(int count) => Connection.ReceiveAsync(count).WaitAsync(Bound);

    /// <summary>Reads as many bytes as are expected, and states that they are the expected ones.</summary>
    public async Task ExpectAsync(ReadOnlyMemory<byte> expected)
    {
        // A read of nothing would wait for something.
        if (!expected.IsEmpty) Assert.Equal(expected.ToArray(), await ReceiveAsync(expected.Length));
    }

    public Task ExpectAsync(string expected) => ExpectAsync(Encoding.UTF8.GetBytes(expected));

    /// <summary>Reads to the server's close.</summary>
    public Task<byte[]> ReceiveToEndAsync() => Connection.ReceiveToEndAsync().WaitAsync(Bound);

    /// <summary>States that these bytes are the last, then waits until the connection is off the books.</summary>
    public async Task<EndedConnection> ExpectEndAsync(ReadOnlyMemory<byte> expected)
    {
        Assert.Equal(expected.ToArray(), await ReceiveToEndAsync());
        return await EndedAsync();
    }

    public Task<EndedConnection> ExpectEndAsync(string expected = "") => ExpectEndAsync(Encoding.UTF8.GetBytes(expected));

    public async Task<EndedConnection> EndedAsync()
    {
        await _served.WaitAsync(Bound);
        return _registry.Recent().Single(ended => ended.Id == Connection.ConnectionId);
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
