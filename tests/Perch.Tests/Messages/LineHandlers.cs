using System.Buffers;
using System.Text;
using Perch.Messages;
using Perch.Wire;
using Perch.Wire.Framings;

namespace Perch.Tests.Messages;

/// <summary>Lines of at most 100 bytes; a test says what happens to each, and by default it comes back.</summary>
internal sealed class LineHandler(Func<MessageContext, string, ValueTask>? onMessage = null, string greeting = "")
    : MessageHandler<MessageOptions>(new() { Framing = Framing.Line, MaxMessageBytes = 100 })
{
    public static void Reply(MessageContext context, string text) => context.Reply.Write(Encoding.UTF8.GetBytes(text));

    protected override ValueTask OnOpenAsync(MessageContext context)
    {
        if (greeting.Length > 0) Reply(context, greeting);
        return ValueTask.CompletedTask;
    }

    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        var text = Encoding.UTF8.GetString(message);
        if (onMessage is not null) return onMessage(context, text);
        Reply(context, text + "\n");
        return ValueTask.CompletedTask;
    }

    protected override void WriteError(MessageContext context, ProtocolException error) => Reply(context, $"ERR {error.Code}\n");
}

/// <summary>A conversation in lines of at most 100,000 bytes, as a test writes it.</summary>
internal sealed class LineConversation(Func<IAsyncEnumerable<string>, ConversationContext, IAsyncEnumerable<string>> converse)
    : ConversationHandler<MessageOptions>(new() { Framing = Framing.Line, MaxMessageBytes = 100_000 })
{
    protected override IAsyncEnumerable<ReadOnlyMemory<byte>> ConverseAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> incoming, ConversationContext context) =>
        converse(incoming.Select(m => Encoding.UTF8.GetString(m.Span)), context).Select(r => (ReadOnlyMemory<byte>)Encoding.UTF8.GetBytes(r));
}
