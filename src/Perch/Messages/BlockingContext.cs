using Microsoft.AspNetCore.Connections;

namespace Perch.Messages;

/// <summary>The peer of a blocking handler.</summary>
public sealed class BlockingContext : HandlerContext
{
    internal BlockingContext(ConnectionContext connection)
        : base(connection)
    {
    }

    /// <summary>
    /// Set while a message has partly arrived: the drain then waits for the rest of it. Where it is not set, a read that
    /// waits when the endpoint drains returns 0, as if the peer had closed.
    /// </summary>
    public bool MessageInHand { get; set; }

    /// <summary>Counts messages, for the metrics and the log.</summary>
    /// <param name="count">How many more were handled.</param>
    public new void CountMessages(int count = 1) => base.CountMessages(count);
}
