using System.Buffers;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;

namespace Perch.Messages;

/// <summary>
/// A sequential dialogue as an async iterator: messages come out of one stream, and each <c>yield return</c> is a
/// reply. Replies are sent together when the iterator waits; the conversation ends when the iterator does.
/// </summary>
/// <typeparam name="TOptions">The protocol's options, with framing and bound.</typeparam>
/// <param name="options">The endpoint's options.</param>
public abstract class ConversationHandler<TOptions>(TOptions options) : ConnectionHandler
    where TOptions : MessageOptions
{
    /// <summary>The endpoint's options.</summary>
    protected TOptions Options { get; } = options;

    /// <inheritdoc/>
    public sealed override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var context = new ConversationContext(connection);
        var output = connection.Transport.Output;
        using var incoming = new IncomingMessages(connection, context, Options);
        context.CancelReadOnDrain(connection.Transport.Input);
        await using var replies = ConverseAsync(incoming, context).GetAsyncEnumerator(context.Aborted);
        try
        {
            while (true)
            {
                var next = replies.MoveNextAsync();
                // The iterator waits, for the peer or for anything else: what it has said until now is sent.
                if ((!next.IsCompleted || output.UnflushedBytes >= Replies.FlushThreshold) && !await Replies.FlushAsync(output)) incoming.End();
                if (!await next) break;
                output.Write(replies.Current.Span);
            }
        }
        finally
        {
            await Replies.FlushAsync(output);
        }

        if (!incoming.IsAtEnd) context.SetOutcome(ConnectionOutcome.Completed);
    }

    /// <summary>Holds the conversation.</summary>
    /// <param name="incoming">
    /// The peer's messages; each is valid until the next is asked for. It ends when the peer closes its side, and at a
    /// message boundary when the endpoint drains. It can be enumerated once.
    /// </param>
    /// <param name="context">The peer.</param>
    /// <returns>The replies, each copied before the iterator goes on.</returns>
    protected abstract IAsyncEnumerable<ReadOnlyMemory<byte>> ConverseAsync(
        IAsyncEnumerable<ReadOnlyMemory<byte>> incoming, ConversationContext context);
}
