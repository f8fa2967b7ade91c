using Microsoft.AspNetCore.Connections;

namespace Perch.Messages;

/// <summary>The peer of one conversation.</summary>
public sealed class ConversationContext : HandlerContext
{
    internal ConversationContext(ConnectionContext connection)
        : base(connection)
    {
    }
}
