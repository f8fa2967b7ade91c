using System.Collections.Concurrent;
using System.Text;
using Perch.Cli.Admin;
using Perch.Cli.Record;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Record;

/// <summary>Streams that end in every way, and the position from which the next one is asked for.</summary>
public sealed class RecordTailTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

    private static string Record(int id) => $$"""
        id: {{id}}
        data: {"id":{{id}},"receivedAt":"2026-11-20T20:09:58.5+00:00","endpoint":"e","remote":"r","data":"record {{id}}","exact":true}


        """;

    [Theory]
    [InlineData("id: 41\n\n", 41)]
    [InlineData("id: 41\n\n: a comment\n\nid: 44\n\n", 44)]
    [InlineData("id: 41\n\nid: 42\n", 41)]
    [InlineData("id: 41\n\nid: x\n\n", 41)]
    [InlineData("id: 41\n\nid: 42\ndata: {\"id\":42,\"rec", 41)]
    public async Task Run_StreamThatIsCut_GoesOnAfterTheLastCompleteBlock(string stream, int after) =>
        Assert.Equal(["GET /records/stream?contains=x", $"GET /records/stream?contains=x&after={after}"], await RequestsAsync(2, Head + Chunk(stream)));

    [Fact]
    public async Task Run_StreamThatEndsAfterARecord_GoesOnAfterTheRecord() =>
        Assert.Equal(
            ["GET /records/stream?contains=x", "GET /records/stream?contains=x&after=5"],
            await RequestsAsync(2, Head + Chunk("id: 4\n\n" + Record(5)) + Chunk("")));

    [Fact]
    public async Task Run_ServerThatIsNotReadyYet_IsAskedAgain() =>
        Assert.Equal(2, (await RequestsAsync(2, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}")).Count);

    [Fact]
    public async Task Run_PositionThatTheServerRefuses_EndsWithItsReason()
    {
        const string Problem = """{"detail":"The last id is 3."}""";
        var answers = new Queue<string>([Head + Chunk("id: 41\n\n"), $"HTTP/1.1 409 Conflict\r\nContent-Length: {Problem.Length}\r\n\r\n{Problem}"]);
        using var requests = new BlockingCollection<string>();
        await using var peer = Answering(requests, answers.Dequeue);
        var exception = await Assert.ThrowsAsync<CliException>(() => RunAsync(peer, new MemoryStream(), CancellationToken.None));
        Assert.Equal((ExitCode.Refused, true), (exception.ExitCode, exception.Message.EndsWith("409 The last id is 3.", StringComparison.Ordinal)));
    }

    /// <summary>A reset is no end of HTTP, but of the socket: as a server that is killed may leave it.</summary>
    [Fact]
    public async Task Run_ConnectionThatIsReset_GoesOn()
    {
        using var output = new SignallingStream();
        using var requests = new BlockingCollection<string>();
        await using var peer = new Peer(async (stream, token) =>
        {
            requests.Add(await ReadRequestAsync(stream, token), token);
            await stream.WriteAsync(Encoding.ASCII.GetBytes(Head + Chunk(Record(5))), token);
            await output.Written.WaitAsync(token);
            Peer.Reset(stream);
        });
        using var ending = new CancellationTokenSource(CliRun.Deadline);
        var running = RunAsync(peer, output, ending.Token);
        Assert.Equal("GET /records/stream?contains=x", await Task.Run(() => requests.Take(ending.Token)));
        Assert.Equal("GET /records/stream?contains=x&after=5", await Task.Run(() => requests.Take(ending.Token)));
        await ending.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
    }

    /// <summary>The first lines of the requests, each of which gets the same answer and then the end of the connection.</summary>
    private static async Task<IReadOnlyList<string>> RequestsAsync(int count, string answer)
    {
        using var requests = new BlockingCollection<string>();
        await using var peer = Answering(requests, () => answer);
        using var ending = new CancellationTokenSource(CliRun.Deadline);
        var running = RunAsync(peer, new MemoryStream(), ending.Token);
        var seen = await Task.Run(() => Enumerable.Range(0, count).Select(_ => requests.Take(ending.Token)).ToList());
        await ending.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        return seen;
    }

    private static async Task RunAsync(Peer peer, Stream output, CancellationToken cancellationToken)
    {
        var console = new CliConsole(Stream.Null, output, TextWriter.Null);
        using var link = new AdminLink(new($"http://{peer.Address}"), null, CliRun.Deadline);
        await new RecordTail(console, link, new(console, isJson: false), TimeSpan.FromMilliseconds(1)).RunAsync(null, ["contains=x"], cancellationToken);
    }

    private static Peer Answering(BlockingCollection<string> requests, Func<string> answer) => new(async (stream, token) =>
    {
        requests.Add(await ReadRequestAsync(stream, token), token);
        await stream.WriteAsync(Encoding.ASCII.GetBytes(answer()), token);
        stream.Socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);
        await stream.CopyToAsync(Stream.Null, token);
    });

    private static async Task<string> ReadRequestAsync(Stream stream, CancellationToken token)
    {
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var path = (await reader.ReadLineAsync(token))!.Replace(" HTTP/1.1", "", StringComparison.Ordinal);
        while (await reader.ReadLineAsync(token) is { Length: > 0 })
            token.ThrowIfCancellationRequested();
        return path;
    }

    private static string Chunk(string content) => $"{content.Length:x}\r\n{content}\r\n";

    private sealed class SignallingStream : MemoryStream
    {
        private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Written => _written.Task;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await base.WriteAsync(buffer, cancellationToken);
            _written.TrySetResult();
        }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            base.Write(buffer);
            _written.TrySetResult();
        }

        public override void Write(byte[] buffer, int offset, int count)
        {
            base.Write(buffer, offset, count);
            _written.TrySetResult();
        }
    }
}
