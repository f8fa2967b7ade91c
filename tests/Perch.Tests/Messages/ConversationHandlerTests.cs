using System.Runtime.CompilerServices;
using System.Text;
using Perch.Connections;
using Perch.Messages;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Messages;

public sealed class ConversationHandlerTests : IDisposable
{
    private readonly TestPipeline _pipeline = new();
    private readonly InMemoryConnection _connection = new(pauseThreshold: 1 << 20);

    public void Dispose() => _pipeline.Dispose();

    [Fact]
    public async Task Converse_MessageAfterMessage_IsAnsweredAsItComes()
    {
        var serving = _pipeline.ServeAsync(new LineConversation(Echo), _connection);
        await _connection.SendAsync("a\nhel");
        Assert.Equal("a\n", await _connection.ReceiveTextAsync(2).Soon());
        await _connection.SendAsync("lo\n");
        Assert.Equal("hello\n", await _connection.ReceiveTextAsync(6).Soon());
        _connection.EndInput();

        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 2, text: "");
    }

    [Fact]
    public async Task Converse_IteratorWaitsForSomethingElse_WhatItSaidIsSent()
    {
        var answer = new TaskCompletionSource<string>();
        async IAsyncEnumerable<string> AskSomebodyAsync(IAsyncEnumerable<string> incoming, ConversationContext context)
        {
            await foreach (var line in incoming)
            {
                yield return "wait\n";
                yield return await answer.Task;
            }
        }

        var serving = _pipeline.ServeAsync(new LineConversation(AskSomebodyAsync), _connection);
        await _connection.SendAsync("a\n");
        Assert.Equal("wait\n", await _connection.ReceiveTextAsync(5).Soon());
        answer.SetResult("42\n");
        Assert.Equal("42\n", await _connection.ReceiveTextAsync(3).Soon());
        _connection.EndInput();

        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 1, text: "");
    }

    [Fact]
    public async Task Converse_IteratorEnds_CompletedAndTheRestUnhandled()
    {
        using var readings = new MeterReadings(_pipeline.Meters);
        await _connection.SendAsync("a\nb\nc\n");
        var serving = _pipeline.ServeAsync(new LineConversation((incoming, c) => Echo(incoming, c).Take(2)), _connection);

        await AssertEndAsync(serving, ConnectionOutcome.Completed, messages: 2, text: "a\nb\n");
        Assert.Equal(2, readings.Of("perch.message.duration").Length);
    }

    [Fact]
    public async Task Converse_ServerOnlySpeaks_Completed()
    {
        static async IAsyncEnumerable<string> SpeakAsync(IAsyncEnumerable<string> incoming, ConversationContext context)
        {
            yield return "one ";
            await Task.Yield();
            yield return "two";
        }

        await AssertEndAsync(_pipeline.ServeAsync(new LineConversation(SpeakAsync), _connection), ConnectionOutcome.Completed, messages: 0, text: "one two");
    }

    [Fact]
    public async Task Converse_PeerIsGoneWhileTheIteratorAwaits_PeerReset()
    {
        static async IAsyncEnumerable<string> WaitAsync(
            IAsyncEnumerable<string> incoming, ConversationContext context, [EnumeratorCancellation] CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            yield return "";
        }

        var serving = _pipeline.ServeAsync(new LineConversation((incoming, c) => WaitAsync(incoming, c)), _connection);
        _connection.Reset();
        await serving.Soon();

        Assert.Equal(ConnectionOutcome.PeerReset, _pipeline.Ended.Outcome);
    }

    [Fact]
    public async Task Converse_PeerNoLongerReads_TheMessagesEnd()
    {
        var left = false;
        async IAsyncEnumerable<string> EchoAsync(IAsyncEnumerable<string> incoming, ConversationContext context)
        {
            await foreach (var line in incoming)
            {
                yield return line;
                await _connection.ClientInput.CompleteAsync();
            }

            left = true;
        }

        var serving = _pipeline.ServeAsync(new LineConversation(EchoAsync), _connection);
        await _connection.SendAsync("a\n");
        await serving.Soon();

        Assert.Equal((true, ConnectionOutcome.PeerReset), (left, _pipeline.Ended.Outcome));
    }

    [Fact]
    public async Task Converse_MessagesInSeveralPieces_AreJoined()
    {
        string[] lines = [new('a', 9_000), new('b', 20_000), "c", new('d', 50_000)];
        var serving = _pipeline.ServeAsync(new LineConversation(Echo), _connection);
        var text = string.Concat(lines.Select(l => l + "\n"));
        foreach (var piece in text.Chunk(3_000)) await _connection.SendAsync(new string(piece));
        _connection.EndInput();

        await AssertEndAsync(serving, ConnectionOutcome.PeerClosed, messages: 4, text);
    }

    [Fact]
    public async Task Converse_EnumeratedTwice_HandlerFault()
    {
        static async IAsyncEnumerable<string> TwiceAsync(IAsyncEnumerable<string> incoming, ConversationContext context)
        {
            await foreach (var line in incoming)
            {
                if (line == "go on") break;
                yield return line;
            }

            await foreach (var line in incoming) yield return line;
        }

        await _connection.SendAsync("go on\nb\n");
        await _pipeline.ServeAsync(new LineConversation(TwiceAsync), _connection).Soon();

        Assert.Equal((ConnectionOutcome.HandlerFault, 1), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages));
    }

    [Fact]
    public async Task Converse_IteratorThrows_HandlerFaultAndAReset()
    {
        await _connection.SendAsync("a\n");
        await _pipeline.ServeAsync(new LineConversation((incoming, _) => incoming.Select<string, string>(_ => throw new IOException())), _connection).Soon();

        Assert.Equal(ConnectionOutcome.HandlerFault, _pipeline.Ended.Outcome);
        Assert.NotNull(_connection.AbortReason);
    }

    [Theory]
    [InlineData("a\nunfinished")]
    [InlineData("a\n{too long}")]
    public async Task Converse_BrokenFraming_ProtocolViolationAfterTheAnswers(string sent)
    {
        await _connection.SendAsync(sent.Replace("{too long}", new string('x', 100_001), StringComparison.Ordinal));
        _connection.EndInput();

        await AssertEndAsync(_pipeline.ServeAsync(new LineConversation(Echo), _connection), ConnectionOutcome.ProtocolViolation, messages: 1, text: "a\n");
    }

    private static IAsyncEnumerable<string> Echo(IAsyncEnumerable<string> incoming, ConversationContext context) =>
        incoming.Select(line => line + "\n");

    private async Task AssertEndAsync(Task serving, ConnectionOutcome outcome, int messages, string text)
    {
        await serving.Soon();
        Assert.Equal(text, Encoding.UTF8.GetString(await _connection.ReceiveToEndAsync().Soon()));
        Assert.Equal((outcome, messages), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages));
    }
}
