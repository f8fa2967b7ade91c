using System.Buffers;
using Perch.Messages;

namespace Perch.Protocols.Discard;

/// <summary>Throws away what it receives (RFC 863).</summary>
internal sealed class DiscardHandler(DiscardOptions options) : MessageHandler<DiscardOptions>(options)
{
    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message) => ValueTask.CompletedTask;
}
