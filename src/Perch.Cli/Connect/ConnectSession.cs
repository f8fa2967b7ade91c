using System.Text;
using System.Threading.Channels;
using Perch.Cli.Net;
using Perch.Cli.Terminal;
using Perch.Wire.Framings;

namespace Perch.Cli.Connect;

/// <summary>
/// One session: lines of this side go out while what the peer sends is shown. It ends when the peer ends, or when this side
/// has ended and the peer is silent for <see cref="Dialer.Timeout"/>.
/// </summary>
internal sealed class ConnectSession
{
    private const string Prompt = " -> ";
    private const string Quit = "quit";
    private const string HelloProtocol = "hello";

    private static readonly byte[] HelloQuit = "--quit--"u8.ToArray();

    private readonly CliConsole _console;
    private readonly Dialer _dialer;
    private readonly Framing _framing;
    private readonly Incoming _incoming;
    private readonly bool _isHello;
    private readonly LineEditor? _editor;
    private readonly Channel<bool> _replies = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
    private volatile bool _isInputEnded;

    public ConnectSession(CliConsole console, Dialer dialer, Framing? framing, View view)
    {
        (_console, _dialer) = (console, dialer);
        _isHello = dialer.Target.Protocol == HelloProtocol;
        _framing = framing ?? (_isHello || dialer.Target.Protocol == "reply" || dialer.Target.Transport == Transport.Udp ? Framing.Chunk : Framing.Line);
        _incoming = new(view, framing, dialer.Target.Transport == Transport.Udp);
        if (console.IsInputTerminal && console.IsOutputTerminal && !console.IsDumb) (console.IsDrawn, _editor) = (true, new(console.Out, Prompt, () => Console.ReadKey(intercept: true), () => console.Size().Columns));
    }

    /// <exception cref="CliException">The connection could not be made, or ended before all was said.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        await using var link = await _dialer.ConnectAsync(cancellationToken);
        if (_console.IsInputTerminal) await _console.SayAsync($"Connected to {_dialer.Description}. Enter 'quit' to end.");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var receiving = ReceiveAsync(link, ending.Token);
        var sending = SendLinesAsync(link, ending.Token);
        try
        {
            if (await Task.WhenAny(receiving, sending) == sending)
            {
                await sending;
                await receiving;
                return;
            }

            await receiving;
            _editor?.Close();
            if (_console.IsInputTerminal) await _console.SayAsync("The peer has closed the connection.");
            // It may have ended its side alone, and take lines still; where it takes none, sending fails.
            else await sending;
        }
        finally
        {
            _editor?.Close();
            await ending.CancelAsync();
            await Task.WhenAny(sending, Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None));
            Forget(sending);
            Forget(receiving);
        }
    }

    /// <summary>Its failure is told by the other one, or is the end itself.</summary>
    private static void Forget(Task task) => _ = task.ContinueWith(static done => _ = done.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);

    private async Task ReceiveAsync(Link link, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (true)
            {
                var read = await ReadAsync(link, buffer, cancellationToken);
                if (read < 0 || (read == 0 && !link.IsDatagram)) break;
                Show(_incoming.Next(buffer.AsMemory(0, read)).Span);
                _replies.Writer.TryWrite(true);
            }

            Show(_incoming.End().Span);
        }
        finally
        {
            _replies.Writer.TryComplete();
        }
    }

    /// <returns>-1 where the silence after the end of this side is the end.</returns>
    private async ValueTask<int> ReadAsync(Link link, byte[] buffer, CancellationToken cancellationToken)
    {
        var reading = link.ReadAsync(buffer, cancellationToken).AsTask();
        while (true)
        {
            if (await Task.WhenAny(reading, Task.Delay(_dialer.Timeout, cancellationToken)) == reading) return await reading;
            cancellationToken.ThrowIfCancellationRequested();
            if (!_isInputEnded) continue;
            // Nobody can tell that a datagram will not come; a person who quit has waited enough.
            if (link.IsDatagram || _console.IsInputTerminal) return -1;
            throw new CliException(ExitCode.TimedOut, $"The peer did not end the connection and sent nothing for {_dialer.Timeout.TotalSeconds:0.###} s (--timeout).");
        }
    }

    private void Show(ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return;
        if (_editor is not null)
        {
            _editor.Print(Encoding.UTF8.GetString(text));
            return;
        }

        _console.Output.Write(text);
        _console.Output.Flush();
    }

    private async Task SendLinesAsync(Link link, CancellationToken cancellationToken)
    {
        var lines = new LineSource(_console.Input);
        while (true)
        {
            var line = _editor is null ? await lines.ReadAsync(cancellationToken) : await EditAsync(cancellationToken);
            if (line is not { } bytes) break;
            if ((_isHello || _console.IsInputTerminal) && bytes.Span.SequenceEqual(Encoding.ASCII.GetBytes(Quit)))
            {
                if (!_isHello) break;
                _isInputEnded = true;
                await link.WriteAsync(HelloQuit, cancellationToken);
                return;
            }

            while (_replies.Reader.TryRead(out _))
            {
                // Only an answer to what is sent now lets the next line go.
            }

            await link.WriteAsync(Outgoing.Frame(_framing, bytes.Span), _dialer.Timeout, cancellationToken);
            if (_isHello && _editor is null) await AwaitReplyAsync(cancellationToken);
        }

        _isInputEnded = true;
        await link.EndInputAsync();
    }

    // The protocol has no framing: two lines that are sent together arrive as one message.
    private async Task AwaitReplyAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _replies.Reader.ReadAsync(cancellationToken).AsTask().WaitAsync(_dialer.Timeout, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new CliException(ExitCode.TimedOut, $"The peer did not answer within {_dialer.Timeout.TotalSeconds:0.###} s (--timeout).");
        }
        catch (ChannelClosedException)
        {
            throw new CliException(ExitCode.Cut, "The peer closed the connection before it had answered.");
        }
    }

    // Keys are waited for on a thread that blocks; where the session ends first, it ends with the process.
    private async Task<ReadOnlyMemory<byte>?> EditAsync(CancellationToken cancellationToken)
    {
        var reading = Task.Factory.StartNew(_editor!.ReadLine, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        return await reading.WaitAsync(cancellationToken) is { } line ? Encoding.UTF8.GetBytes(line) : default(ReadOnlyMemory<byte>?);
    }
}
