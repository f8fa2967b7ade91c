using System.Globalization;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Configuration;

/// <summary>The guard <c>KeepAlive</c>, read from the accepted sockets of this process.</summary>
public sealed class KeepAliveTests
{
    private static readonly (bool, int, int, int) Default = (true, 60, 10, 6);

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task KeepAlive_DefaultOverriddenAndOff_IsOnTheConnections(string engine)
    {
        await using var host = await PerchHost.StartAsync(
            new ServerSettings { SocketEngine = engine, Guards = """{ "KeepAlive": { "Interval": "00:00:07" } }""" }
                .With("inherits", Echo("{}"))
                .With("overrides", Echo("""{ "KeepAlive": { "Time": "00:01:17", "Probes": 3 } }"""))
                .With("off", Echo("""{ "KeepAlive": { "Time": "00:00:00" } }"""))
                .With("shared", """{ "Port": 0, "Protocol": "echo", "ReusePort": true }""")
                .With("unix", """{ "UnixSocket": "echo.sock", "Protocol": "echo" }"""));

        Assert.Equal((true, 60, 7, 6), await ReadAsync(host, "inherits"));
        Assert.Equal((true, 77, 7, 3), await ReadAsync(host, "overrides"));
        Assert.False((await ReadAsync(host, "off")).IsOn);
        Assert.Equal((true, 60, 7, 6), await ReadAsync(host, "shared"));
        using var unix = await Client.ConnectAsync(Path.Combine(host.Folder.Root, "echo.sock"));
        Assert.Equal("GOT:x", await unix.AskAsync("x", 5));
    }

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task KeepAlive_Changed_AppliesToNewConnectionsOfTheSameSocket(string engine)
    {
        var settings = new ServerSettings { SocketEngine = engine }.With("echo", Echo("{}"));
        await using var host = await PerchHost.StartAsync(settings);
        var port = await host.Admin.GetPortAsync("echo");
        using var old = await Client.ConnectAsync(port);
        Assert.Equal("GOT:x", await old.AskAsync("x", 5));

        host.Folder.Write(settings.With("echo", Echo("""{ "KeepAlive": { "Time": "00:01:17" } }""")).ToString());
        await Poll.UntilAsync(async () => (await ReadAsync(host, "echo")).Time == 77, () => "a new connection has the new time");
        Assert.Equal(Default, Read(old));
        Assert.Equal(port, await host.Admin.GetPortAsync("echo"));

        host.Folder.Write(settings.With("echo", Echo("""{ "KeepAlive": { "Time": "00:00:00" } }""")).ToString());
        await Poll.UntilAsync(async () => !(await ReadAsync(host, "echo")).IsOn, () => "a new connection has none");
        Assert.Equal(Default, Read(old));
    }

    [NeighbourTheory("unshare", Capability.SysAdmin)]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task KeepAlive_PeerVanishes_EndsTheConnectionAsReset(string engine)
    {
        using var folder = new ServerFolder(new ServerSettings { SocketEngine = engine, Log = "Debug" }
            .With("echo", Echo("""{ "KeepAlive": { "Time": "00:00:01", "Interval": "00:00:01", "Probes": 2 } }""", port: 7)));
        // In a network of its own, where no packet arrives any more once the client has its answer.
        const string Script = """
            ip link set lo up
            "$0" & server=$!
            until exec 3<>/dev/tcp/127.0.0.1/7; do kill -0 $server || exit 1; sleep 0.1; done 2>/dev/null
            printf x >&3
            answer=$(head -c 5 <&3)
            ip link set lo down
            echo "$answer vanished"
            wait $server
            """;
        string[] arguments = ["--net", "--pid", "--fork", "--kill-child", "bash", "-c", Script, ServerProcess.Executable];
        await using var server = ServerProcess.Launch(folder.Root, arguments, "unshare");

        await Poll.UntilAsync(() => server.Output.Contains("outcome PeerReset", StringComparison.Ordinal),
            () => server.Output + server.Errors);
        Assert.Contains("GOT:x vanished", server.Output, StringComparison.Ordinal);
    }

    private static string Echo(string guards, int port = 0) => $$"""{ "Port": {{port}}, "Protocol": "echo", "Guards": {{guards}} }""";

    private static async Task<(bool IsOn, int Time, int Interval, int Probes)> ReadAsync(PerchHost host, string endpoint)
    {
        using var client = await host.ConnectAsync(endpoint);
        Assert.Equal("GOT:x", await client.AskAsync("x", 5));
        return Read(client);
    }

    /// <summary>Finds the server's side of a connection among the descriptors of this process.</summary>
    private static (bool IsOn, int Time, int Interval, int Probes) Read(Client client)
    {
        foreach (var path in Directory.EnumerateFileSystemEntries("/proc/self/fd"))
        {
            using var handle = new SafeSocketHandle(int.Parse(Path.GetFileName(path), CultureInfo.InvariantCulture), ownsHandle: false);
            try
            {
                if (new FileInfo(path).LinkTarget?.StartsWith("socket:", StringComparison.Ordinal) != true)
                    continue;
                using var socket = new Socket(handle);
                if (socket.RemoteEndPoint?.ToString() != client.LocalAddress)
                    continue;
                return (Option(socket, SocketOptionLevel.Socket, SocketOptionName.KeepAlive) != 0,
                    Option(socket, SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime),
                    Option(socket, SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval),
                    Option(socket, SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount));
            }
            catch (Exception exception) when (exception is SocketException or IOException or ObjectDisposedException)
            {
                // A socket of another test, which has no peer or was closed meanwhile.
            }
        }

        throw new InvalidOperationException($"The connection of {client.LocalAddress} was not found.");
    }

    private static int Option(Socket socket, SocketOptionLevel level, SocketOptionName name) => (int)socket.GetSocketOption(level, name)!;
}
