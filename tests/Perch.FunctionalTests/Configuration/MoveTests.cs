using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Configuration;

/// <summary>An endpoint moves to an address that cannot be bound.</summary>
public sealed class MoveTests
{
    public enum Kind
    {
        Tcp,
        Udp,
        Unix,
    }

    [Theory]
    [InlineData(Kind.Tcp)]
    [InlineData(Kind.Udp)]
    [InlineData(Kind.Unix)]
    public async Task Move_AddressInUse_KeepsTheOldOneUntilTheNewOneIsBound(Kind kind)
    {
        using var scene = new Scene(kind);
        var settings = new ServerSettings().With("echo", scene.Free);
        await using var host = await PerchHost.StartAsync(settings);
        Assert.True(await scene.IsServedAsync(host, "A:"));
        var oldAddress = Assert.Single(await host.Admin.GetEndpointsAsync()).Address;

        host.Folder.Write(settings.With("echo", scene.Taken).ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Any(e => e.State == "Failed"), () => "the move fails");
        Assert.True(await scene.IsServedAsync(host, "A:"));
        var rows = await host.Admin.GetEndpointsAsync();
        Assert.Equal(oldAddress, Assert.Single(rows, e => e.State == "Listening").Address);
        Assert.Matches("in use|another process serves", Assert.Single(rows, e => e.State == "Failed").Reason);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await host.Admin.GetReadyAsync()).Status);
        await Poll.UntilAsync(() => host.Log.Contains($"Endpoint echo keeps serving on {oldAddress} until ", StringComparison.Ordinal),
            () => host.Log);

        var metrics = await host.Admin.GetMetricsAsync();
        foreach (var state in (string[])["Listening", "Failed"])
            Assert.Equal(1, metrics.Sum("perch_endpoint_state", "endpoint=\"echo\"", $"state=\"{state}\""));

        scene.Release();
        await Poll.UntilAsync(
            async () => await host.Admin.GetEndpointsAsync() is [{ State: "Listening" } row] && row.Address != oldAddress,
            () => "it has moved");
        Assert.True(await scene.IsServedAsync(host, "B:"));
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
    }

    [Theory]
    [InlineData(Kind.Tcp)]
    [InlineData(Kind.Udp)]
    [InlineData(Kind.Unix)]
    public async Task Move_Reverted_ServesOnAndIsGreen(Kind kind)
    {
        using var scene = new Scene(kind);
        var settings = new ServerSettings().With("echo", scene.Free);
        await using var host = await PerchHost.StartAsync(settings);
        var before = Assert.Single(await host.Admin.GetEndpointsAsync());
        host.Folder.Write(settings.With("echo", scene.Taken).ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Any(e => e.State == "Failed"), () => "the move fails");

        host.Folder.Write(settings.With("echo", scene.Free).ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Count == 1, () => "the move is given up");
        Assert.Equal(before, Assert.Single(await host.Admin.GetEndpointsAsync()));
        Assert.True(await scene.IsServedAsync(host, "A:"));
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);

        host.Folder.Write(settings.Without("echo").ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Count == 0, () => "nothing is left");
    }

    [Fact]
    public async Task Move_WaitsAndIsRemoved_ClosesBothSockets()
    {
        using var scene = new Scene(Kind.Tcp);
        var settings = new ServerSettings().With("echo", scene.Free);
        await using var host = await PerchHost.StartAsync(settings);
        var port = await host.Admin.GetPortAsync("echo");
        host.Folder.Write(settings.With("echo", scene.Taken).ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Any(e => e.State == "Failed"), () => "the move fails");

        host.Folder.Write(settings.Without("echo").ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Count == 0, () => "nothing is left");
        await Assert.ThrowsAsync<SocketException>(() => Client.ConnectAsync(port));
        scene.Release();
    }

    [Fact]
    public async Task Move_OldPortWantedByAnother_IsGivenToIt()
    {
        using var scene = new Scene(Kind.Tcp);
        var settings = new ServerSettings().With("echo", scene.Free);
        await using var host = await PerchHost.StartAsync(settings);
        var port = await host.Admin.GetPortAsync("echo");
        host.Folder.Write(settings.With("echo", scene.Taken).ToString());
        await Poll.UntilAsync(async () => (await host.Admin.GetEndpointsAsync()).Any(e => e.State == "Failed"), () => "the move fails");

        settings.With("other", $$"""{ "Port": {{port}}, "Protocol": "echo", "Options": { "Prefix": "O:" } }""");
        host.Folder.Write(settings.ToString());
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("other") is not null,
            () => "the other endpoint has the port");
        using var client = await Client.ConnectAsync(port);
        Assert.Equal("O:x", await client.AskAsync("x", 3));
        scene.Release();
        await Poll.UntilAsync(async () => await host.Admin.FindListeningAsync("echo") is not null, () => "the first endpoint has moved");
    }

    /// <summary>A free address, and one that another socket has.</summary>
    private sealed class Scene : IDisposable
    {
        private readonly Kind _kind;
        private readonly string _folder = Directory.CreateTempSubdirectory("perch-move-").FullName;
        private readonly Socket _taken;

        public Scene(Kind kind)
        {
            _kind = kind;
            _taken = kind switch
            {
                Kind.Tcp => new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp),
                Kind.Udp => new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp),
                _ => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
            };
            _taken.Bind(kind == Kind.Unix ? new UnixDomainSocketEndPoint(PathOf("taken")) : new IPEndPoint(IPAddress.Loopback, 0));
            if (kind != Kind.Udp)
                _taken.Listen();
            Free = Endpoint(Address("free", 0), "A:");
            Taken = Endpoint(Address("taken", (_taken.LocalEndPoint as IPEndPoint)?.Port ?? 0), "B:");
        }

        public string Free { get; }

        public string Taken { get; }

        public async Task<bool> IsServedAsync(PerchHost host, string prefix)
        {
            if (_kind == Kind.Unix)
            {
                using var local = await Client.ConnectAsync(PathOf(prefix == "A:" ? "free" : "taken"));
                return await local.AskAsync("x", 3) == prefix + "x";
            }

            var port = await host.Admin.GetPortAsync("echo");
            if (_kind == Kind.Tcp)
            {
                using var client = await Client.ConnectAsync(port);
                return await client.AskAsync("x", 3) == prefix + "x";
            }

            using var udp = new UdpClient(0, AddressFamily.InterNetwork);
            await udp.SendAsync("x"u8.ToArray(), "127.0.0.1", port);
            var reply = await udp.ReceiveAsync().WaitAsync(Poll.Deadline);
            return reply.Buffer.AsSpan().SequenceEqual(System.Text.Encoding.UTF8.GetBytes(prefix + "x"));
        }

        public void Release()
        {
            _taken.Dispose();
            File.Delete(PathOf("taken"));
        }

        public void Dispose()
        {
            Release();
            Directory.Delete(_folder, recursive: true);
        }

        private string PathOf(string name) => Path.Combine(_folder, name);

        private string Address(string name, int port) => _kind == Kind.Unix
            ? $"\"UnixSocket\": \"{PathOf(name)}\""
            : $"\"Port\": {port}, \"Transport\": \"{_kind}\"";

        private static string Endpoint(string address, string prefix) =>
            $$"""{ {{address}}, "Protocol": "echo", "Options": { "Prefix": "{{prefix}}" } }""";
    }
}
