using System.Globalization;
using System.Text;
using Perch.FunctionalTests.Hosting;
using Xunit.Abstractions;

namespace Perch.FunctionalTests;

/// <summary>
/// On every protocol good clients in crowds, and among them all kinds of bad ones: the good are served right, and every
/// end has the outcome of what was done.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class HostileTests(HostileTests.Zoo zoo, ITestOutputHelper output) : IClassFixture<HostileTests.Zoo>
{
    private const int Good = 200;
    private const int Each = 5;
    private const int TenMegabytes = 10_000_000;

    /// <summary>What the server may take at its most, in MiB; the clients of one test offer it 350 MB and more.</summary>
    private const long MostMemory = 600;

    public enum Kind
    {
        Good,
        Silent,
        HalfFrameThenClose,
        HalfFrameThenSilence,
        Reset,
        ByteAtATime,
        TenMegabytesInOne,
        InvalidUtf8,
        NeverReads,
    }

    public static TheoryData<string> Protocols => [.. Zoo.Endpoints.Keys];

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Zoo_AmongTwoHundredGoodClients_EveryoneGetsWhatTheyDeserve(string protocol)
    {
        var server = zoo.Server;
        var port = await server.Admin.GetPortAsync(protocol);
        var logged = server.Output.Length;
        var visitors = new List<(Kind Kind, string Outcome)>();
        foreach (var kind in Enum.GetValues<Kind>())
        {
            if (Expected(protocol, kind) is { } outcome) visitors.AddRange(Enumerable.Repeat((kind, outcome), kind == Kind.Good ? Good : Each));
        }

        // In an order that is mixed, and the same every time.
        var random = new Random(25000);
        random.Shuffle(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(visitors));
        var peers = await Task.WhenAll(visitors.Select(async v => (Peer: await VisitAsync(protocol, v.Kind, port), v.Kind, v.Outcome)));

        await Poll.UntilAsync(async () => (await server.Admin.GetConnectionsAsync()).Count == 0, () => "a connection is left");
        var recent = (await server.Admin.GetRecentAsync()).Where(e => e.Endpoint == protocol).ToLookup(e => e.Peer);
        Assert.All(peers, p => Assert.Equal((p.Kind, p.Outcome), (p.Kind, recent[p.Peer].First().Outcome)));
        var metrics = await server.Admin.GetMetricsAsync();
        Assert.All(visitors.CountBy(v => v.Outcome), o => Assert.Equal((o.Key, o.Value), (o.Key, metrics.Ended(protocol, o.Key))));
        Assert.Equal(visitors.Count, metrics.Sum("perch_connections_ended_total", $"endpoint=\"{protocol}\""));
        Assert.Equal(visitors.Count, metrics.Sum("perch_connections_accepted_total", $"endpoint=\"{protocol}\""));
        Assert.Equal(0, metrics.Sum("perch_connections_active", $"endpoint=\"{protocol}\""));
        var peak = zoo.PeakMebibytes();
        output.WriteLine($"{protocol}: {visitors.Count} visitors, {peak} MiB at most");
        Assert.InRange(peak, 0, MostMemory);
        Assert.DoesNotContain("ERR]", server.Output[logged..], StringComparison.Ordinal);
        Assert.False(server.HasExited);
    }

    /// <returns>Null where the kind makes no sense for the protocol.</returns>
    private static string? Expected(string protocol, Kind kind) => (protocol, kind) switch
    {
        // It says the time and closes, whoever came.
        ("daytime", Kind.HalfFrameThenSilence or Kind.InvalidUtf8) => null,
        ("daytime", _) => "Completed",
        // It never stops by itself: the peer goes away, or is cut off because it does not read.
        ("chargen", Kind.HalfFrameThenClose or Kind.HalfFrameThenSilence or Kind.InvalidUtf8) => null,
        ("chargen", Kind.Silent or Kind.NeverReads) => "WriteTimeout",
        ("chargen", _) => "PeerReset",
        (_, Kind.Reset) => "PeerReset",
        ("bytes", Kind.Silent) => "IdleTimeout",
        (_, Kind.Silent) => "FirstByteTimeout",
        ("reply", Kind.Good or Kind.ByteAtATime or Kind.InvalidUtf8 or Kind.NeverReads) => "Completed",
        ("hello", Kind.Good) => "Completed",
        (_, Kind.HalfFrameThenSilence) => "IdleTimeout",
        (_, Kind.HalfFrameThenClose or Kind.TenMegabytesInOne) => IsFramed(protocol) ? "ProtocolViolation" : "PeerClosed",
        ("bytes" or "discard", Kind.NeverReads) => "PeerClosed",
        (_, Kind.NeverReads) => "WriteTimeout",
        _ => "PeerClosed",
    };

    private static bool IsFramed(string protocol) => Zoo.Endpoints[protocol].Contains("Framing", StringComparison.Ordinal);

    private static Task<string> VisitAsync(string protocol, Kind kind, int port) => kind switch
    {
        Kind.Good => BeGoodAsync(protocol, port),
        Kind.ByteAtATime => TrickleAsync(protocol, port),
        Kind.InvalidUtf8 => SendInvalidAsync(protocol, port),
        Kind.NeverReads => NeverReadAsync(protocol, port),
        Kind.TenMegabytesInOne => FloodAsync(protocol, port),
        _ => LeaveAsync(protocol, kind, port),
    };

    private static async Task<string> BeGoodAsync(string protocol, int port)
    {
        using var client = await Client.ConnectAsync(port);
        switch (protocol)
        {
            case "daytime":
                Assert.EndsWith(" UTC\r\n", await client.ReceiveTextToEndAsync(), StringComparison.Ordinal);
                return client.LocalAddress;
            case "chargen":
                Assert.StartsWith(" !\"#$", await client.ReceiveTextAsync(74 * 95), StringComparison.Ordinal);
                return client.LocalAddress;
            case "bytes":
                Assert.Equal([1, 2, 3, 4], await client.ReceiveAsync(4));
                await client.SendAsync("anything");
                break;
            case "discard":
                await client.SendAsync(new byte[10_000]);
                break;
            case "reply":
                await client.SendAsync(Frame(protocol, "hello"u8));
                Assert.Equal("データ送信", await client.ReceiveTextToEndAsync());
                return client.LocalAddress;
            case "hello":
                foreach (var name in (string[])["Zack", "Python", "world!"]) Assert.Equal("-", await client.AskAsync(name + "\n", 1));
                await client.SendAsync("--quit--\n");
                break;
            default:
                for (var i = 0; i < 5; i++)
                {
                    var text = Encoding.UTF8.GetBytes($"{client.LocalAddress} says {i}");
                    await client.SendAsync(Frame(protocol, text));
                    Assert.Equal($"GOT:{Encoding.UTF8.GetString(text)}", await client.ReceiveTextAsync(4 + text.Length));
                }

                break;
        }

        if (protocol != "hello") client.EndInput();
        Assert.Empty(await client.ReceiveToEndAsync());
        return client.LocalAddress;
    }

    private static async Task<string> LeaveAsync(string protocol, Kind kind, int port)
    {
        using var client = await Client.ConnectAsync(port, kind == Kind.Silent ? 4096 : null);
        var address = client.LocalAddress;
        switch (kind)
        {
            case Kind.HalfFrameThenClose:
                await client.TrySendAsync(Half(protocol));
                if (protocol != "daytime") client.EndInput();
                break;
            case Kind.HalfFrameThenSilence:
                await client.SendAsync(Half(protocol));
                break;
            case Kind.Reset:
                // The server has served something before, except where that would be the end.
                if (protocol is "bytes" or "chargen") await client.ReceiveAsync(4);
                else if (protocol.StartsWith("echo", StringComparison.Ordinal)) await AskAsync(client, protocol);
                client.Reset();
                return address;
            default:
                // One that says nothing does not read what the server says either.
                await WaitForEndAsync(port, address);
                return address;
        }

        await client.AwaitEndAsync();
        return address;
    }

    private static async Task AskAsync(Client client, string protocol)
    {
        await client.SendAsync(Frame(protocol, "one"u8));
        Assert.Equal("GOT:one", await client.ReceiveTextAsync(7));
    }

    private static async Task<string> TrickleAsync(string protocol, int port)
    {
        using var client = await Client.ConnectAsync(port);
        var frame = Frame(protocol, "Zack"u8);
        for (var i = 0; i < frame.Length; i++)
        {
            if (!await client.TrySendAsync(frame.AsMemory(i, 1))) break;
        }

        switch (protocol)
        {
            case "daytime":
                await client.AwaitEndAsync();
                return client.LocalAddress;
            case "chargen":
                await client.ReceiveAsync(74 * 10);
                return client.LocalAddress;
            case "reply":
                Assert.Equal("データ送信", await client.ReceiveTextToEndAsync());
                return client.LocalAddress;
        }

        client.EndInput();
        var answer = await client.ReceiveTextToEndAsync();
        if (protocol == "hello") Assert.Equal("-", answer);
        else if (protocol == "echo-blocking") Assert.Equal("Zack", answer.Replace("GOT:", "", StringComparison.Ordinal));
        else if (protocol.StartsWith("echo", StringComparison.Ordinal)) Assert.Equal("GOT:Zack", answer);
        return client.LocalAddress;
    }

    private static async Task<string> SendInvalidAsync(string protocol, int port)
    {
        byte[] invalid = [0xFF, 0xFE, 0xC3, 0x28, 0xED, 0xA0, 0x80, 0x00, 0x1B, 0x5B, 0x32, 0x4A];
        using var client = await Client.ConnectAsync(port);
        await client.SendAsync(Frame(protocol, invalid));
        if (protocol != "reply") client.EndInput();
        var answer = await client.ReceiveToEndAsync();
        if (protocol == "hello") Assert.Equal("-"u8, answer);
        else if (protocol == "reply") Assert.Equal("データ送信"u8, answer);
        else if (protocol.StartsWith("echo", StringComparison.Ordinal)) Assert.Equal((byte[])[.. "GOT:"u8, .. invalid], answer);
        return client.LocalAddress;
    }

    private static async Task<string> FloodAsync(string protocol, int port)
    {
        using var client = await Client.ConnectAsync(port);
        var flood = new byte[TenMegabytes];
        flood.AsSpan().Fill((byte)'x');
        if (protocol == "chargen")
        {
            // It sends while it is sent to: both are tried at once, and then it is left.
            var sending = client.TrySendAsync(flood);
            while (!sending.IsCompleted) await client.ReceiveAsync(64 * 1024);
            Assert.True(await sending);
            return client.LocalAddress;
        }

        var reading = client.AwaitEndAsync();
        var sent = await client.TrySendAsync(flood);
        if (Expected(protocol, Kind.TenMegabytesInOne) == "PeerClosed")
        {
            Assert.True(sent);
            client.EndInput();
        }

        await reading;
        return client.LocalAddress;
    }

    private static async Task<string> NeverReadAsync(string protocol, int port)
    {
        using var client = await Client.ConnectAsync(port, 4096);
        var address = client.LocalAddress;
        if (protocol is "discard" or "bytes" or "reply")
        {
            await client.TrySendAsync(Frame(protocol, new byte[500]));
            if (protocol != "reply") client.EndInput();
        }
        else if (protocol is not ("daytime" or "chargen"))
        {
            // Many messages that are answered; more than any buffer holds.
            var block = new byte[1 << 20];
            var frame = protocol == "hello" ? "\n"u8.ToArray() : Frame(protocol, new byte[996]);
            for (var at = 0; at + frame.Length <= block.Length; at += frame.Length) frame.CopyTo(block.AsSpan(at));
            var whole = block.AsMemory(0, block.Length - (block.Length % frame.Length));
            var blocks = 0;
            while (await client.TrySendAsync(whole)) Assert.True(blocks++ < 100, "The server takes and takes, though nobody reads.");
        }

        await WaitForEndAsync(port, address);
        return address;
    }

    /// <summary>For a client that must not read: the system knows when the connection is no longer established.</summary>
    private static Task<TimeSpan> WaitForEndAsync(int port, string address)
    {
        var client = int.Parse(address[(address.LastIndexOf(':') + 1)..], CultureInfo.InvariantCulture);
        var row = $"0100007F:{port:X4} 0100007F:{client:X4} 01";
        return Poll.UntilAsync(async () => !(await File.ReadAllTextAsync("/proc/net/tcp")).Contains(row, StringComparison.Ordinal), () => $"{address} is cut off");
    }

    private static byte[] Half(string protocol) => protocol == "echo" ? [0, 0, 0, 9, .. "half"u8] : "half a line"u8.ToArray();

    private static byte[] Frame(string protocol, ReadOnlySpan<byte> message) =>
        protocol == "echo" ? [0, 0, (byte)(message.Length >> 8), (byte)message.Length, .. message]
        : IsFramed(protocol) ? [.. message, (byte)'\n']
        : message.ToArray();

    /// <summary>One server with all protocols: what one test leaves behind, the next would notice.</summary>
    public sealed class Zoo : IAsyncLifetime, IDisposable
    {
        internal static readonly Dictionary<string, string> Endpoints = new()
        {
            ["echo"] = """{ "Port": 0, "Protocol": "echo", "Options": { "Framing": "Length", "MaxMessageBytes": 1000 } }""",
            ["echo-conversation"] = """{ "Port": 0, "Protocol": "echo-conversation", "Options": { "Framing": "Line" } }""",
            ["echo-raw"] = """{ "Port": 0, "Protocol": "echo-raw", "Options": { "Framing": "Line" } }""",
            ["echo-blocking"] = """{ "Port": 0, "Protocol": "echo-blocking" }""",
            ["hello"] = """{ "Port": 0, "Protocol": "hello", "Options": { "Framing": "Line" } }""",
            ["reply"] = """{ "Port": 0, "Protocol": "reply", "Options": { "Framing": "Line" } }""",
            ["bytes"] = """{ "Port": 0, "Protocol": "bytes" }""",
            ["discard"] = """{ "Port": 0, "Protocol": "discard" }""",
            ["daytime"] = """{ "Port": 0, "Protocol": "daytime" }""",
            ["chargen"] = """{ "Port": 0, "Protocol": "chargen" }""",
        };

        private readonly ServerFolder _folder;

        public Zoo()
        {
            var settings = new ServerSettings
            {
                Log = "Warning",
                Guards = """{ "FirstByteTimeout": "00:00:05", "IdleTimeout": "00:00:05", "WriteTimeout": "00:00:05" }""",
            };
            foreach (var (name, json) in Endpoints) settings.With(name, json);
            _folder = new(settings);
        }

        internal ServerProcess Server { get; private set; } = null!;

        public async Task InitializeAsync() => Server = await ServerProcess.StartAsync(_folder);

        public async Task DisposeAsync() => await Server.DisposeAsync();

        public void Dispose() => _folder.Dispose();

        internal long PeakMebibytes() => long.Parse(
            File.ReadLines($"/proc/{Server.Id}/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2],
            CultureInfo.InvariantCulture) >> 10;
    }
}
