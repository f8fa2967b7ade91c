using System.Buffers;
using Perch.Messages;
using Perch.Wire;
using Perch.Wire.Framings;

namespace Perch.Datagrams;

/// <summary>What a <see cref="MessageHandler{TOptions}"/> shows of itself for UDP, whatever its options.</summary>
internal interface IMessageDatagrams
{
    int MaxMessageBytes { get; }

    Framing Framing { get; }

    /// <summary>A datagram is a dialogue of one message: open, then the message, unless the opening has closed it.</summary>
    ValueTask OnDatagramAsync(MessageContext context, in ReadOnlySequence<byte> message);

    void WriteDatagramError(MessageContext context, ProtocolException error);
}

/// <summary>Serves a message handler's datagrams: each is a message, whatever the framing; with syslog without a line end.</summary>
internal sealed class MessageDatagrams(IMessageDatagrams handler) : DatagramHandler
{
    public override int MaxDatagramBytes => handler.MaxMessageBytes;

    protected internal override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload)
    {
        context.Messages.Reset();
        var message = handler.Framing == Framing.Syslog ? SyslogFraming.TrimDatagram(payload) : payload;
        return handler.OnDatagramAsync(context.Messages, new(message));
    }

    protected internal override void WriteError(DatagramContext context, ProtocolException error) => handler.WriteDatagramError(context.Messages, error);
}
