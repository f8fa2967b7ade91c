using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Datagrams;

namespace Perch.Messages;

/// <summary>
/// One peer of a <see cref="MessageHandler{TOptions}"/>; the same object for every message of a connection. On UDP each
/// datagram is a dialogue of its own: a peer that is new, one message, and one datagram in reply.
/// </summary>
public sealed class MessageContext : HandlerContext
{
    internal MessageContext(ConnectionContext connection)
        : base(connection) => Reply = connection.Transport.Output;

    internal MessageContext(DatagramContext datagram)
        : base(datagram) => Reply = datagram.Reply;

    /// <summary>
    /// Where replies are written. They are sent together when every message that has arrived was handled; on UDP they are
    /// one datagram, of at most 65,507 bytes.
    /// </summary>
    public IBufferWriter<byte> Reply { get; }

    /// <summary>The handler's own state of this connection; on UDP of this datagram.</summary>
    public object? Session { get; set; }

    /// <summary>Whether <see cref="Close"/> was called.</summary>
    internal bool IsClosed { get; private set; }

    /// <summary>Ends the dialogue once the replies are sent; what the peer sent after this message is not handled.</summary>
    public void Close()
    {
        IsClosed = true;
        SetOutcome(ConnectionOutcome.Completed);
    }

    /// <summary>The next datagram has it.</summary>
    internal void Reset() => (Session, IsClosed) = (null, false);
}
