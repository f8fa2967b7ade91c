using Perch.Cli.Net;
using Perch.Cli.Terminal;

namespace Perch.Cli.Send;

/// <summary>Sends over a stream while it prints what comes back.</summary>
internal sealed class StreamSender(CliConsole console, Dialer dialer, SendOptions options, Incoming incoming)
{
    private volatile bool _isSent;

    /// <exception cref="CliException">It could not be sent, or the answers did not come.</exception>
    public async Task RunAsync(MessageSource messages, CancellationToken cancellationToken)
    {
        await using var link = await dialer.ConnectAsync(cancellationToken);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var receiving = options.Replies == 0 ? Task.CompletedTask : ReceiveAsync(link, ending.Token);
        try
        {
            await SendAsync(link, messages, receiving, cancellationToken);
        }
        catch (Exception exception) when (exception is IOException && Failure.Of(exception)?.ExitCode != ExitCode.LocalFile)
        {
            // The peer may have said why before it closed: that is printed first.
            await Task.WhenAny(receiving, Task.Delay(dialer.Timeout, cancellationToken));
            throw;
        }
        catch
        {
            await ending.CancelAsync();
            throw;
        }

        await receiving;
    }

    private async Task SendAsync(Link link, MessageSource messages, Task receiving, CancellationToken cancellationToken)
    {
        await foreach (var message in messages.ReadAsync(cancellationToken))
        {
            if (receiving.IsCompleted && options.Replies is null)
            {
                await receiving;
                throw new CliException(ExitCode.Cut, "The peer closed the connection before all was sent.");
            }

            await link.WriteAsync(Outgoing.Frame(options.Framing, message.Span), dialer.Timeout, cancellationToken);
        }

        _isSent = true;
        if (options.Replies is null or 0) await link.EndInputAsync();
    }

    private async Task ReceiveAsync(Link link, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        while (options.Replies is not { } wanted || incoming.Messages < wanted)
        {
            var read = await ReadAsync(link, buffer, cancellationToken);
            if (read == 0)
            {
                console.Output.Write(incoming.End().Span);
                await console.Output.FlushAsync(cancellationToken);
                if (options.Replies is { } missing) throw new CliException(ExitCode.Cut, $"The peer closed the connection after {incoming.Messages} of {missing} answers.");
                return;
            }

            await console.Output.WriteAsync(incoming.Next(buffer.AsMemory(0, read)), cancellationToken);
            await console.Output.FlushAsync(cancellationToken);
        }

        if (console.IsOutputTerminal) console.Output.Write("\n"u8);
    }

    /// <summary>While this side sends, the peer may be silent as long as it likes.</summary>
    private async ValueTask<int> ReadAsync(Link link, byte[] buffer, CancellationToken cancellationToken)
    {
        var reading = link.ReadAsync(buffer, cancellationToken).AsTask();
        while (await Task.WhenAny(reading, Task.Delay(dialer.Timeout, cancellationToken)) != reading)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (_isSent) throw new CliException(ExitCode.TimedOut, $"The peer sent nothing for {dialer.Timeout.TotalSeconds:0.###} s (--timeout).");
        }

        return await reading;
    }
}
