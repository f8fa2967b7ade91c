using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Diagnostics;
using Perch.Wire.Framings;

namespace Perch.Messages;

/// <summary>
/// One peer of a <see cref="MessageHandler{TOptions}"/>; the same object for every message of a connection. On UDP each
/// datagram is a dialogue of its own: a peer that is new, one message, and one datagram in reply.
/// </summary>
public sealed class MessageContext : HandlerContext
{
    private FrameReader _frames;

    internal MessageContext(ConnectionContext connection, MessageOptions options)
        : base(connection)
    {
        Reply = connection.Transport.Output;
        _frames = new(options.Framing, options.MaxMessageBytes);
        Meter = MessageMeter.Of(connection);
    }

    internal MessageContext(DatagramContext datagram)
        : base(datagram) => (Reply, Meter) = (datagram.Reply, MessageMeter.None);

    /// <summary>
    /// Where replies are written. They are sent together when every message that has arrived was handled; on UDP they are
    /// one datagram, of at most 65,507 bytes.
    /// </summary>
    public IBufferWriter<byte> Reply { get; }

    /// <summary>The handler's own state of this connection; on UDP of this datagram.</summary>
    public object? Session { get; set; }

    /// <summary>Whether <see cref="Close"/> was called.</summary>
    internal bool IsClosed { get; private set; }

    /// <summary>How far the connection's bytes have been cut into messages; of no use on UDP.</summary>
    internal ref FrameReader Frames => ref _frames;

    /// <summary>Times the connection's messages; those of UDP are timed by their endpoint.</summary>
    internal MessageMeter Meter { get; }

    /// <summary>Ends the dialogue once the replies are sent; what the peer sent after this message is not handled.</summary>
    public void Close()
    {
        IsClosed = true;
        SetOutcome(ConnectionOutcome.Completed);
    }

    /// <summary>The next datagram has it.</summary>
    internal void Reset() => (Session, IsClosed) = (null, false);
}
