using Perch.Messages;

namespace Exercises;

internal sealed class GeneratorHandler(MessageOptions options) : ConversationHandler<MessageOptions>(options)
{
    protected override async IAsyncEnumerable<ReadOnlyMemory<byte>> ConverseAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> incoming, ConversationContext context)
    {
        await foreach (var message in incoming)
        {
            yield return "GOT:"u8.ToArray();
            yield return message;
        }
    }
}
