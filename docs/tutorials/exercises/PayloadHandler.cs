using System.Buffers;
using Perch.Messages;

namespace Exercises;

internal sealed class PayloadHandler(MessageOptions options) : MessageHandler<MessageOptions>(options)
{
    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        context.Reply.Write<byte>([1, 2, 3, 4]);
        return ValueTask.CompletedTask;
    }
}
