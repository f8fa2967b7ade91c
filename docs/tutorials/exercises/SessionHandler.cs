using System.Buffers;
using Perch.Messages;

namespace Exercises;

internal sealed class SessionHandler(MessageOptions options) : MessageHandler<MessageOptions>(options)
{
    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        context.Reply.Write("-"u8);
        return ValueTask.CompletedTask;
    }
}
