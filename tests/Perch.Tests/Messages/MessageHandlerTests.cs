using System.Text;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Messages;

public sealed class MessageHandlerTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly InMemoryConnection _connection = new(pauseThreshold: 1 << 20);

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Serve_PartOfAMessageThenTheRest_IsOneMessage()
    {
        var serving = _pipeline.ServeAsync(new LineHandler(), _connection);
        await _connection.SendAsync("a\nhel");
        Assert.Equal("a\n", await _connection.ReceiveTextAsync(2).Soon());
        await _connection.SendAsync("lo\r\n");
        Assert.Equal("hello\n", await _connection.ReceiveTextAsync(6).Soon());

        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 2, text: "");
    }

    [Fact]
    public async Task Serve_StreamEndsWithinAMessage_AnswersWhatWasWholeThenTheError()
    {
        await _connection.SendAsync("a\nhel");
        var serving = _pipeline.ServeAsync(new LineHandler(), _connection);

        await AssertEndAsync(serving, ConnectionOutcome.ProtocolViolation, messages: 1, text: "a\nERR truncated\n");
        Assert.Null(_connection.AbortReason);
    }

    [Fact]
    public async Task Serve_MessageIsTooLong_AnswersTheErrorAndEnds()
    {
        await _connection.SendAsync("a\n" + new string('x', 101));
        var serving = _pipeline.ServeAsync(new LineHandler(), _connection);

        Assert.Equal("a\nERR too-long\n", await ReceiveTextAsync().Soon());
        await serving.Soon();
        Assert.Equal(ConnectionOutcome.ProtocolViolation, _pipeline.Ended.Outcome);
    }

    [Fact]
    public async Task Serve_HandlerThrows_IsAFaultWithoutAnErrorReply()
    {
        await _connection.SendAsync("a\nb\n");
        await _pipeline.ServeAsync(new LineHandler((_, _) => throw new InvalidOperationException()), _connection).Soon();

        Assert.Equal((ConnectionOutcome.HandlerFault, 1, 0), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages, _pipeline.Ended.BytesSent));
    }

    [Fact]
    public async Task Close_WithinABurst_LeavesTheRestUnhandled()
    {
        await _connection.SendAsync("a\nquit\nb\nunfinished");
        _connection.EndInput();
        var seen = new List<string>();
        var serving = _pipeline.ServeAsync(
            new LineHandler((context, text) =>
            {
                seen.Add(text);
                LineHandler.Reply(context, text);
                if (text == "quit") context.Close();
                return ValueTask.CompletedTask;
            }),
            _connection);

        await AssertEndAsync(serving, ConnectionOutcome.Completed, messages: 2, text: "aquit");
        Assert.Equal(["a", "quit"], seen);
    }

    [Fact]
    public async Task OnOpen_Greeting_ArrivesBeforeThePeerHasSpoken()
    {
        var serving = _pipeline.ServeAsync(new LineHandler(greeting: "hi\n"), _connection);
        Assert.Equal("hi\n", await _connection.ReceiveTextAsync(3).Soon());
        await _connection.SendAsync("a\n");

        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 1, text: "a\n");
    }

    [Fact]
    public async Task Serve_HandlersThatAwait_AnswerInOrder()
    {
        await _connection.SendAsync("a\nb\nc\n");
        var serving = _pipeline.ServeAsync(
            new LineHandler(async (context, text) =>
            {
                if (text != "b") await Task.Yield();
                LineHandler.Reply(context, text);
            }),
            _connection);

        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 3, text: "abc");
    }

    [Fact]
    public async Task Serve_PeerGoesAway_HandlesNoMoreThanTheBurst()
    {
        await _connection.SendAsync("a\nb\n");
        await _pipeline.ServeAsync(
            new LineHandler((context, text) =>
            {
                LineHandler.Reply(context, text);
                if (text == "b") _connection.ClientInput.Complete();
                return ValueTask.CompletedTask;
            }),
            _connection).Soon();

        Assert.Equal((ConnectionOutcome.PeerReset, 2), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages));
    }

    [Fact]
    public async Task Serve_EveryMessage_IsTimed()
    {
        using var readings = new MeterReadings(_pipeline.Meters);
        await _connection.SendAsync("a\nb\nc\n");
        var serving = _pipeline.ServeAsync(new LineHandler(), _connection);
        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 3, text: "a\nb\nc\n");

        var durations = readings.Of("perch.message.duration");
        Assert.Equal(3, durations.Length);
        Assert.All(durations, d =>
        {
            Assert.InRange(d.Value, 0, 10);
            Assert.Equal("endpoint=test protocol=test", d.Tags);
        });
    }

    [Fact]
    public async Task Serve_OutsideTheHost_WorksWithoutItsFeatures()
    {
        await _connection.SendAsync("a\n");
        _connection.EndInput();
        await new LineHandler().OnConnectedAsync(_connection).Soon();

        Assert.Equal("a\n", await _connection.ReceiveTextAsync(2).Soon());
    }

    private async Task<string> ReceiveTextAsync() => Encoding.UTF8.GetString(await _connection.ReceiveToEndAsync());

    private async Task AssertEndAsync(Task serving, ConnectionOutcome outcome, int messages, string text)
    {
        _connection.EndInput();
        Assert.Equal(text, await ReceiveTextAsync().Soon());
        await serving.Soon();
        Assert.Equal((outcome, messages), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages));
        Assert.Equal(messages, _pipeline.Totals.Messages);
    }
}
