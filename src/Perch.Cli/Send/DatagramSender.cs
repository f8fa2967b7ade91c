using Perch.Cli.Net;
using Perch.Cli.Terminal;

namespace Perch.Cli.Send;

/// <summary>Sends each message as a datagram, and again until its reply is there.</summary>
internal sealed class DatagramSender(CliConsole console, Dialer dialer, SendOptions options, Incoming incoming)
{
    private const int MaxDatagramBytes = 65507;

    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(1);

    private readonly byte[] _buffer = new byte[64 * 1024];

    private TimeSpan Timeout => options.Timeout ?? DefaultTimeout;

    /// <exception cref="CliException">No reply came, or nobody listens there.</exception>
    public async Task RunAsync(MessageSource messages, CancellationToken cancellationToken)
    {
        await using var link = await dialer.ConnectAsync(cancellationToken);
        await foreach (var message in messages.ReadAsync(cancellationToken))
        {
            if (message.Length > MaxDatagramBytes) throw new CliException(ExitCode.Usage, $"A datagram has at most {MaxDatagramBytes} bytes; this message has {message.Length}.");
            if (options.Replies == 0) await link.WriteAsync(message, cancellationToken);
            else await AskAsync(link, message, cancellationToken);
        }
    }

    private async Task AskAsync(Link link, ReadOnlyMemory<byte> message, CancellationToken cancellationToken)
    {
        for (var sent = 0; sent <= options.Retries; sent++)
        {
            await link.WriteAsync(message, cancellationToken);
            if (await ReceiveAsync(link, cancellationToken)) return;
        }

        throw new CliException(ExitCode.TimedOut, $"{dialer.Description} did not reply: sent {options.Retries + 1} times, {Timeout.TotalSeconds:0.###} s apart (--retry, --timeout).");
    }

    /// <returns>False where not all replies came in time.</returns>
    private async Task<bool> ReceiveAsync(Link link, CancellationToken cancellationToken)
    {
        for (var wanted = options.Replies ?? 1; wanted > 0; wanted--)
        {
            try
            {
                var read = await link.ReadAsync(_buffer, Timeout, cancellationToken);
                await console.Output.WriteAsync(incoming.Next(_buffer.AsMemory(0, read)), cancellationToken);
                await console.Output.FlushAsync(cancellationToken);
            }
            catch (CliException exception) when (exception.ExitCode == ExitCode.TimedOut)
            {
                return false;
            }
        }

        return true;
    }
}
