using System.Text;
using Perch.Messages;

namespace Perch.Protocols.Echo;

/// <summary>The same echo as a conversation: the generator style of the tutorials.</summary>
internal sealed class EchoConversationHandler(EchoOptions options) : ConversationHandler<EchoOptions>(options)
{
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(options.Prefix);

    protected override async IAsyncEnumerable<ReadOnlyMemory<byte>> ConverseAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> incoming, ConversationContext context)
    {
        await foreach (var message in incoming)
        {
            yield return _prefix;
            yield return message;
        }
    }
}
