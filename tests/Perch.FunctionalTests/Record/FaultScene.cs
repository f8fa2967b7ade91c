using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>A server in a process of its own, under numbered messages, while a test makes its disk fail.</summary>
internal sealed class FaultScene : IAsyncDisposable
{
    private const int Senders = 4;
    private const int MessageBytes = 500;

    /// <summary>Above what the process needs (about 120 MiB, and 64 MiB for the full queue), below what a flood brings.</summary>
    private const long MostMemory = 384 * 1024 * 1024;

    private const int FloodConnections = 4;
    private const int FloodMessages = 10_000;
    private const int FloodMessageBytes = 16 * 1024;

    /// <summary>A store that works again is used again within this.</summary>
    private static readonly TimeSpan Recovery = TimeSpan.FromSeconds(5);

    /// <summary>With these a message is certainly not stored; with others it may be.</summary>
    private static readonly string[] NotStored = ["full", "busy"];

    private readonly List<NumberedSender> _senders;
    private readonly string _path;
    private readonly int _port;

    private FaultScene(ServerFolder folder, ServerProcess server, int port)
    {
        (Server, _path, _port) = (server, DatabasePath(folder), port);
        _senders = [.. Enumerable.Range(0, Senders).Select(number => new NumberedSender($"s{number}", port, MessageBytes))];
    }

    public static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("record", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""");

    public ServerProcess Server { get; }

    public static string DataFolder(ServerFolder folder) => Path.Combine(folder.Root, "data");

    public static string DatabasePath(ServerFolder folder) => Path.Combine(DataFolder(folder), "records.db");

    /// <summary>Returns when messages are being stored.</summary>
    public static async Task<FaultScene> StartAsync(ServerFolder folder)
    {
        var server = await ServerProcess.StartAsync(folder);
        try
        {
            var scene = new FaultScene(folder, server, await server.Admin.GetPortAsync("record"));
            await scene.StoredAsync(Poll.Deadline);
            return scene;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Every sender is told this code, and readiness says why.</summary>
    public async Task RefusedAsync(string code, string reason)
    {
        await UntilAsync(() => _senders.TrueForAll(sender => sender.Refusal == code), $"everybody is refused as {code}", Poll.Deadline);
        var body = "";
        await UntilAsync(
            async () =>
            {
                (var status, body) = await Server.Admin.GetAsync("/health/ready");
                return status == HttpStatusCode.ServiceUnavailable && body.Contains(reason, StringComparison.Ordinal);
            },
            () => $"readiness says '{reason}': {body}",
            Poll.Deadline);
    }

    /// <summary>For so long, and for a few hundred refusals of each sender, nothing is acknowledged. Everybody is being refused when it begins.</summary>
    public async Task NothingIsStoredAsync(string code, TimeSpan span)
    {
        var acknowledged = _senders.ConvertAll(sender => sender.Acknowledged);
        var refused = _senders.ConvertAll(sender => sender.Count(code));
        // The span is what is tested.
        await Task.Delay(span);
        await UntilAsync(() => _senders.Zip(refused).All(pair => pair.First.Count(code) > pair.Second + 600), "refusals go on", Poll.Deadline);
        Assert.Equal(acknowledged, _senders.ConvertAll(sender => sender.Acknowledged));
    }

    /// <summary>Others send 640 MiB as fast as they are read, and each of their messages is answered too.</summary>
    public Task FloodAsync() => Task.WhenAll(Enumerable.Range(0, FloodConnections).Select(_ => FloodConnectionAsync())).WaitAsync(Poll.Deadline);

    /// <summary>The cause is gone: within five seconds every sender's messages are stored, and readiness is green.</summary>
    public Task RecoveredAsync() => StoredAsync(Recovery);

    /// <summary>The server is killed: what it acknowledged is in the file, once and in order, what it refused for certain is not.</summary>
    public async Task VerifyAfterKillAsync()
    {
        Assert.All(_senders, sender => Assert.False(sender.Ended.IsCompleted, "the server cut a connection"));
        Assert.False(Server.HasExited);
        Assert.InRange(Server.PeakWorkingSet(), 1, MostMemory);
        Server.Signal(ServerProcess.Sigkill);
        await Server.WaitForExitAsync();
        await Task.WhenAll(_senders.Select(sender => sender.Ended)).WaitAsync(Poll.Deadline);

        Assert.Equal(["ok"], DatabaseFile.Query(_path, "PRAGMA integrity_check"));
        var rows = DatabaseFile.Query(_path, "SELECT substr(data, 1, 20) FROM logs ORDER BY id").Select(row => row.Split(' ')).ToLookup(row => row[0], row => int.Parse(row[1], CultureInfo.InvariantCulture));
        foreach (var sender in _senders)
        {
            var stored = rows[sender.Name].ToList();
            Assert.Equal(stored.Distinct().Order(), stored);
            Assert.Subset(stored.ToHashSet(), sender.AcknowledgedNumbers());
            Assert.Empty(sender.Numbers(NotStored).Intersect(stored));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await Server.DisposeAsync();
        await Task.WhenAll(_senders.Select(sender => sender.Ended)).WaitAsync(Poll.Deadline);
    }

    private async Task FloodConnectionAsync()
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", _port);
        await using var stream = client.GetStream();
        var answers = CountLinesAsync(stream);
        var message = Encoding.ASCII.GetBytes($"flood 0 {new string('x', FloodMessageBytes)}\n");
        for (var i = 0; i < FloodMessages; i++) await stream.WriteAsync(message);
        client.Client.Shutdown(SocketShutdown.Send);
        Assert.Equal(FloodMessages, await answers);
    }

    private static async Task<int> CountLinesAsync(NetworkStream stream)
    {
        var (lines, buffer) = (0, new byte[64 * 1024]);
        while (await stream.ReadAsync(buffer) is var length and > 0) lines += buffer.AsSpan(0, length).Count((byte)'\n');
        return lines;
    }

    private Task StoredAsync(TimeSpan deadline)
    {
        var acknowledged = _senders.ConvertAll(sender => sender.Acknowledged);
        return UntilAsync(
            async () => _senders.Zip(acknowledged).All(pair => pair.First.Acknowledged > pair.Second && pair.First.Refusal is null)
                && (await Server.Admin.GetReadyAsync()).Status == HttpStatusCode.OK,
            () => "everybody's messages are stored",
            deadline);
    }

    private Task UntilAsync(Func<bool> condition, string what, TimeSpan deadline) => UntilAsync(() => Task.FromResult(condition()), () => what, deadline);

    private async Task UntilAsync(Func<Task<bool>> condition, Func<string> what, TimeSpan deadline) => await Poll.UntilAsync(
        condition,
        () => $"{what()}. Answers: {string.Join(", ", _senders.Select(sender => $"{sender.Name} {sender.Acknowledged} stored, then {sender.Refusal ?? "stored"}"))}.\n{Server.Output}\n{Server.Errors}",
        deadline);
}
