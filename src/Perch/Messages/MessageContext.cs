using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;

namespace Perch.Messages;

/// <summary>One peer of a <see cref="MessageHandler{TOptions}"/>; the same object for every message of a connection.</summary>
public sealed class MessageContext : HandlerContext
{
    internal MessageContext(ConnectionContext connection)
        : base(connection) => Reply = connection.Transport.Output;

    /// <summary>Where replies are written. They are sent together when every message that has arrived was handled.</summary>
    public IBufferWriter<byte> Reply { get; }

    /// <summary>The handler's own state of this connection.</summary>
    public object? Session { get; set; }

    /// <summary>Whether <see cref="Close"/> was called.</summary>
    internal bool IsClosed { get; private set; }

    /// <summary>Ends the dialogue once the replies are sent; what the peer sent after this message is not handled.</summary>
    public void Close()
    {
        IsClosed = true;
        SetOutcome(ConnectionOutcome.Completed);
    }
}
