using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Connections;
using Perch.Messages;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Messages;

public sealed class BlockingHandlerTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly InMemoryConnection _connection = new(pauseThreshold: 64);

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Handle_Echo_RunsOnAThreadOfItsOwn()
    {
        var pooled = true;
        var serving = _pipeline.ServeAsync(
            new Blocking((stream, context) =>
            {
                pooled = Thread.CurrentThread.IsThreadPoolThread;
                Echo(stream, context);
            }),
            _connection);
        await _connection.SendAsync("hello");
        Assert.Equal("hello", await _connection.ReceiveTextAsync(5).Soon());
        await _connection.SendAsync("again");
        Assert.Equal("again", await _connection.ReceiveTextAsync(5).Soon());
        _connection.EndInput();
        await serving.Soon();

        Assert.False(pooled);
        Assert.Equal((ConnectionOutcome.PeerClosed, 10, 10, 2), (_pipeline.Ended.Outcome, _pipeline.Ended.BytesReceived, _pipeline.Ended.BytesSent, _pipeline.Ended.Messages));
    }

    [Fact]
    public async Task Read_SmallBuffer_GetsTheBytesInOrder()
    {
        var text = new StringBuilder();
        await _connection.SendAsync("abcdefgh");
        _connection.EndInput();
        await _pipeline.ServeAsync(
            new Blocking((stream, _) =>
            {
                var buffer = new byte[3];
                while (stream.Read(buffer, 0, 3) is > 0 and var count) text.Append(Encoding.ASCII.GetString(buffer, 0, count)).Append('|');
            }),
            _connection).Soon();

        Assert.Equal("abc|def|gh|", text.ToString());
    }

    [Fact]
    public async Task Serve_AllThreadsTaken_RejectedUntilOneIsFree()
    {
        using var gate = new ManualResetEventSlim();
        var handler = new Blocking((_, _) => gate.Wait(TimeSpan.FromSeconds(10)), new() { MaxThreads = 1 });
        var serving = _pipeline.ServeAsync(handler, _connection);
        await _pipeline.ServeAsync(handler, new InMemoryConnection()).Soon();
        Assert.Equal((ConnectionOutcome.Rejected, "Threads"), (_pipeline.Ended.Outcome, _pipeline.Ended.Reason));

        gate.Set();
        await serving.Soon();
        for (var i = 0; i < 200; i++) await _pipeline.ServeAsync(handler, new InMemoryConnection()).Soon();
        Assert.Equal((1, 201), (_pipeline.Totals.Ended[(int)ConnectionOutcome.Rejected], _pipeline.Totals.Ended[(int)ConnectionOutcome.Completed]));
    }

    [Fact]
    public async Task Read_PeerIsSilent_IdleTimeout()
    {
        Exception? thrown = null;
        await _pipeline.ServeAsync(
            new Blocking((stream, _) => thrown = Assert.Throws<TimeoutException>(() => stream.ReadByte()), new() { ReadTimeout = TimeSpan.FromMilliseconds(1) }),
            _connection).Soon();

        Assert.NotNull(thrown);
        Assert.Equal(ConnectionOutcome.IdleTimeout, _pipeline.Ended.Outcome);
    }

    [Fact]
    public async Task Read_AfterATimeout_LosesNothing()
    {
        var (timedOut, read) = (new TaskCompletionSource(), "");
        var serving = _pipeline.ServeAsync(
            new Blocking((stream, _) =>
            {
                Assert.Throws<TimeoutException>(() => stream.ReadByte());
                stream.ReadTimeout = Timeout.Infinite;
                timedOut.SetResult();
                var buffer = new byte[5];
                stream.ReadExactly(buffer);
                read = Encoding.ASCII.GetString(buffer);
            }, new() { ReadTimeout = TimeSpan.FromMilliseconds(1) }),
            _connection);
        await timedOut.Task.Soon();
        await _connection.SendAsync("he");
        await _connection.SendAsync("llo");
        await serving.Soon();

        Assert.Equal("hello", read);
    }

    [Fact]
    public async Task Write_PeerDoesNotRead_WriteTimeoutAndAReset()
    {
        await _pipeline.ServeAsync(
            new Blocking((stream, _) => stream.Write(new byte[64]), new() { WriteTimeout = TimeSpan.FromMilliseconds(1) }), _connection).Soon();

        Assert.Equal(ConnectionOutcome.WriteTimeout, _pipeline.Ended.Outcome);
        Assert.NotNull(_connection.AbortReason);
    }

    [Fact]
    public async Task Write_PeerIsSlow_WaitsForItWithoutALimit()
    {
        var serving = _pipeline.ServeAsync(new Blocking((stream, _) => stream.Write(new byte[1000]), new() { WriteTimeout = default }), _connection);
        Assert.Equal(1000, (await _connection.ReceiveAsync(1000).Soon()).Length);
        await serving.Soon();

        Assert.Equal(ConnectionOutcome.Completed, _pipeline.Ended.Outcome);
    }

    [Fact]
    public async Task Write_PeerIsGone_PeerReset()
    {
        _connection.ClientInput.Complete();
        await _pipeline.ServeAsync(new Blocking((stream, _) => stream.Write(new byte[64])), _connection).Soon();

        Assert.Equal(ConnectionOutcome.PeerReset, _pipeline.Ended.Outcome);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Drain_ReadThatWaits_EndsUnlessAMessageIsInHand(bool inHand)
    {
        var serving = _pipeline.ServeAsync(
            new Blocking((stream, context) =>
            {
                context.MessageInHand = inHand;
                stream.WriteByte((byte)'?');
                var answer = stream.ReadByte();
                stream.WriteByte(answer < 0 ? (byte)'-' : (byte)answer);
                context.MessageInHand = false;
                if (stream.ReadByte() >= 0) stream.WriteByte((byte)'!');
            }),
            _connection);
        Assert.Equal("?", await _connection.ReceiveTextAsync(1).Soon());
        _connection.RequestClose();
        if (inHand) await _connection.SendAsync("a");
        Assert.Equal(inHand ? "a" : "-", await _connection.ReceiveTextAsync(1).Soon());
        await serving.Soon();

        Assert.Equal(ConnectionOutcome.Drained, _pipeline.Ended.Outcome);
    }

    [Fact]
    public async Task Abort_ThreadThatReads_IsUnblocked()
    {
        var serving = _pipeline.ServeAsync(new Blocking(Echo, new() { ReadTimeout = default }), _connection);
        _pipeline.Pass(TimeSpan.FromMinutes(1), _connection);
        for (var i = 0; !serving.IsCompleted && _connection.AbortReason is null && i < 1_000_000; i++)
        {
            // The thread has to come to its read first.
            await Task.Yield();
            _connection.Heartbeat();
        }

        await serving.Soon();
        Assert.Equal(ConnectionOutcome.FirstByteTimeout, _pipeline.Ended.Outcome);
    }

    [Fact]
    public async Task Handle_Throws_HandlerFaultAndTheThreadIsFree()
    {
        var handler = new Blocking((_, _) => throw new InvalidOperationException(), new() { MaxThreads = 1 });
        for (var i = 0; i < 200; i++) await _pipeline.ServeAsync(handler, new InMemoryConnection()).Soon();

        Assert.Equal(200, _pipeline.Totals.Ended[(int)ConnectionOutcome.HandlerFault]);
    }

    private static void Echo(Stream stream, BlockingContext context)
    {
        var buffer = new byte[100];
        while (stream.Read(buffer) is > 0 and var count)
        {
            context.CountMessages();
            stream.Write(buffer, 0, count);
        }
    }

    private sealed class Blocking(Action<Stream, BlockingContext> handle, BlockingOptions? options = null)
        : BlockingHandler<BlockingOptions>(options ?? new(), NullLogger.Instance)
    {
        protected override void Handle(Stream stream, BlockingContext context) => handle(stream, context);
    }
}
