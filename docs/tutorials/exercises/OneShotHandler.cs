using System.Buffers;
using Perch.Messages;

namespace Exercises;

internal sealed class OneShotHandler(MessageOptions options) : MessageHandler<MessageOptions>(options)
{
    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        context.Reply.Write("データ送信"u8);
        context.Close();
        return ValueTask.CompletedTask;
    }
}
