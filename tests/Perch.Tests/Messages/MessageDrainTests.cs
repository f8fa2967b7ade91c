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

    private async Task AssertEndAsync(Task serving, ConnectionOutcome outcome, int messages, string text)
    {
        await serving.Soon();
        Assert.Equal(text, Encoding.UTF8.GetString(await _connection.ReceiveToEndAsync().Soon()));
        Assert.Equal((outcome, messages), (_pipeline.Ended.Outcome, _pipeline.Ended.Messages));
    }
}
