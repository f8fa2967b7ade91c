using System.Buffers;
using System.Text;
using Perch.Messages;

namespace Perch.Protocols.Echo;

/// <summary>Each message comes back with the prefix before it; RFC 862 where the prefix is empty.</summary>
internal sealed class EchoHandler(EchoOptions options) : MessageHandler<EchoOptions>(options)
{
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(options.Prefix);

    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        context.Reply.Write(_prefix);
        foreach (var segment in message) context.Reply.Write(segment.Span);
        return ValueTask.CompletedTask;
    }
}
