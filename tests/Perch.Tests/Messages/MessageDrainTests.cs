using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Messages;

/// <summary>The drain of both shapes that know messages.</summary>
public sealed class MessageDrainTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly InMemoryConnection _connection = new(scheduler: PipeScheduler.Inline);

    public enum Shape
    {
        Message,
        Conversation,
    }

    public void Dispose() => _pipeline.Dispose();

    [Theory]
    [InlineData(Shape.Message)]
    [InlineData(Shape.Conversation)]
    public async Task Drain_BetweenMessages_EndsAtOnce(Shape shape)
    {
        var serving = _pipeline.ServeAsync(Echo(shape), _connection);
        await _connection.SendAsync("a\n");
        _connection.RequestClose();

        await AssertEndAsync(serving, ConnectionOutcome.Drained, messages: 1, text: "a\n");
    }

    [Theory]
    [InlineData(Shape.Message)]
    [InlineData(Shape.Conversation)]
    public async Task Drain_BeforeItBegan_EndsAtOnce(Shape shape)
    {
        await AssertEndAsync(ServeDrainingAsync(Echo(shape)), ConnectionOutcome.Drained, messages: 0, text: "");
    }

    [Theory]
    [InlineData(Shape.Message)]
    [InlineData(Shape.Conversation)]
    public async Task Drain_WithinAMessage_AnswersItAndWhatCameWithItAndEnds(Shape shape)
    {
        var serving = _pipeline.ServeAsync(Echo(shape), _connection);
        await _connection.SendAsync("hel");
        _connection.RequestClose();
        await _connection.SendAsync("l");
        Assert.False(serving.IsCompleted);
        await _connection.SendAsync("o\nnext\n");

        await AssertEndAsync(serving, ConnectionOutcome.Drained, messages: 2, text: "hello\nnext\n");
    }

    [Theory]
    [InlineData(Shape.Message)]
    [InlineData(Shape.Conversation)]
    public async Task Drain_MessageNeverCompleted_IsTruncated(Shape shape)
    {
        var serving = _pipeline.ServeAsync(Echo(shape), _connection);
        await _connection.SendAsync("hel");
        _connection.RequestClose();
        _connection.EndInput();

        await AssertEndAsync(serving, ConnectionOutcome.ProtocolViolation, messages: 0, text: shape == Shape.Message ? "ERR truncated\n" : "");
    }

    [Theory]
    [InlineData(Shape.Message)]
    [InlineData(Shape.Conversation)]
    public async Task Drain_WhileABurstIsHandled_AnswersAllOfIt(Shape shape)
    {
        var gate = new TaskCompletionSource();
        await _connection.SendAsync("a\nb\nc\n");
        var serving = _pipeline.ServeAsync(Echo(shape, gate.Task), _connection);
        _connection.RequestClose();
        gate.SetResult();

        await AssertEndAsync(serving, ConnectionOutcome.Drained, messages: 3, text: "a\nb\nc\n");
    }

    [Theory]
    [InlineData(Shape.Message)]
    [InlineData(Shape.Conversation)]
    public async Task Drain_PeerHasSentSeveralAndClosed_AnswersAll(Shape shape)
    {
        await _connection.SendAsync("a\nb\n");
        _connection.EndInput();

        await AssertEndAsync(ServeDrainingAsync(Echo(shape)), ConnectionOutcome.PeerClosed, messages: 2, text: "a\nb\n");
    }

    private static ConnectionHandler Echo(Shape shape, Task? gate = null) => shape == Shape.Message
        ? new LineHandler(gate is null ? null : async (context, text) =>
        {
            await gate;
            LineHandler.Reply(context, text + "\n");
        })
        : new LineConversation((incoming, _) => incoming.Select(async (string line, CancellationToken _) =>
        {
            if (gate is not null) await gate;
            return line + "\n";
        }));

    private Task ServeDrainingAsync(ConnectionHandler handler) => _pipeline.ServeAsync(
        connection =>
        {
            _connection.RequestClose();
            return handler.OnConnectedAsync(connection);
        },
        _connection);

    private async Task AssertEndAsync(Task serving, ConnectionOutcome outcome, int messages, string text)
    {
        await serving.Soon();
        Assert.Equal(text, Encoding.UTF8.GetString(await _connection.ReceiveToEndAsync().Soon()));
        Assert.Equal((outcome, messages), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages));
    }
}
