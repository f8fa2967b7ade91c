using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Perch.Datagrams;
using Perch.Wire;
using Perch.Wire.Framings;

namespace Perch.Messages;

/// <summary>
/// A protocol of one message in, nothing or something out, over TCP, Unix sockets and UDP. One instance serves all
/// connections of an endpoint, or all its datagrams; the state of one of them belongs in <see cref="MessageContext.Session"/>.
/// </summary>
/// <typeparam name="TOptions">The protocol's options, with framing and bound.</typeparam>
/// <param name="options">The endpoint's options.</param>
public abstract class MessageHandler<TOptions>(TOptions options) : ConnectionHandler, IMessageDatagrams
    where TOptions : MessageOptions
{
    /// <summary>The endpoint's options.</summary>
    protected TOptions Options { get; } = options;

    int IMessageDatagrams.MaxMessageBytes => Options.MaxMessageBytes;

    Framing IMessageDatagrams.Framing => Options.Framing;

    /// <inheritdoc/>
    public sealed override Task OnConnectedAsync(ConnectionContext connection)
    {
        var context = new MessageContext(connection, Options);
        // An idle connection ends at once.
        context.CancelReadOnDrain(connection.Transport.Input);
        return ServeAsync(context, connection.Transport);
    }

    /// <summary>Handles one message.</summary>
    /// <param name="context">The peer, and where to reply.</param>
    /// <param name="message">The message without its framing; valid until the returned task ends.</param>
    /// <exception cref="ProtocolException">The message cannot be accepted: <see cref="WriteError"/> is called and the connection ends.</exception>
    protected abstract ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message);

    /// <summary>Called once before the first message, for protocols in which the server speaks first.</summary>
    protected virtual ValueTask OnOpenAsync(MessageContext context) => ValueTask.CompletedTask;

    /// <summary>Writes the protocol's error reply to <see cref="MessageContext.Reply"/>; nothing where the protocol has none.</summary>
    protected virtual void WriteError(MessageContext context, ProtocolException error)
    {
    }

    ValueTask IMessageDatagrams.OnDatagramAsync(MessageContext context, in ReadOnlySequence<byte> message)
    {
        var opening = OnOpenAsync(context);
        if (!opening.IsCompletedSuccessfully) return OnDatagramAsync(opening, context, message);
        return context.IsClosed ? ValueTask.CompletedTask : OnMessageAsync(context, message);
    }

    void IMessageDatagrams.WriteDatagramError(MessageContext context, ProtocolException error) => WriteError(context, error);

    /// <remarks>What is kept here while a read waits is what an idle connection costs: it is little.</remarks>
    private async Task ServeAsync(MessageContext context, IDuplexPipe transport)
    {
        try
        {
            if (!await OpenAsync(context, transport.Output)) return;
            while (!context.IsClosed)
            {
                var read = await transport.Input.ReadAsync();
                if (!await HandleAsync(context, transport, read)) return;
            }
        }
        catch (ProtocolException error)
        {
            // It is sent when the output is completed.
            WriteError(context, error);
            throw;
        }
    }

    /// <returns>False where the peer is gone.</returns>
    private async ValueTask<bool> OpenAsync(MessageContext context, PipeWriter output)
    {
        await OnOpenAsync(context);
        return await Replies.FlushAsync(output);
    }

    private async ValueTask OnDatagramAsync(ValueTask opening, MessageContext context, ReadOnlySequence<byte> message)
    {
        await opening;
        if (!context.IsClosed) await OnMessageAsync(context, message);
    }

    /// <summary>
    /// Handles what one read has brought. Apart from the loop around it: where nothing has to wait its locals are on the stack,
    /// and an idle connection keeps none of them.
    /// </summary>
    /// <returns>False where the connection is to end.</returns>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> HandleAsync(MessageContext context, IDuplexPipe transport, ReadResult read)
    {
        var draining = context.IsDraining(read);
        var buffer = read.Buffer;
        var (handled, leaves) = (0, false);
        try
        {
            var started = context.Meter.Start();
            while (context.Frames.TryRead(ref buffer, read.IsCompleted, out var message))
            {
                handled++;
                var handling = OnMessageAsync(context, message);
                if (!handling.IsCompletedSuccessfully) await handling;
                started = context.Meter.Stop(started);
                if (context.IsClosed) break;
                if (transport.Output.UnflushedBytes >= Replies.FlushThreshold && !await Replies.FlushAsync(transport.Output)) return false;
            }

            if (read.IsCompleted && !context.IsClosed) context.Frames.EnsureComplete(buffer);
            // A message that has partly arrived is the one in hand: it is waited for and handled, with what came with it.
            leaves = draining && (handled > 0 || buffer.IsEmpty);
        }
        finally
        {
            context.CountMessages(handled);
            transport.Input.AdvanceTo(buffer.Start, buffer.End);
        }

        return await Replies.FlushAsync(transport.Output) && !read.IsCompleted && !leaves;
    }
}
