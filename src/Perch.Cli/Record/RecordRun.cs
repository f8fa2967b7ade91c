using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Perch.Cli.Net;
using Perch.Wire;

namespace Perch.Cli.Record;

/// <summary>
/// Lines in, records at the server: each is noted in the journal, sent with its key, and forgotten when its acknowledgement is there. A
/// connection that cannot be made, breaks, or is refused, is opened again and everything that waits goes first; the server drops what it has.
/// </summary>
internal sealed class RecordRun(CliConsole console, Dialer dialer, RecordOptions options, RecordJournal journal) : IDisposable
{
    private const int MostAnswerBytes = 4096;
    private const int SendBytes = 64 * 1024;

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _more = new(0);
    private readonly SemaphoreSlim _room = new(0);
    private long _nextToSend;
    private long _waitingBytes;
    private bool _isInputEnded;

    public RecordSummary Summary { get; } = new();

    private bool IsDone
    {
        get
        {
            lock (_lock) return _isInputEnded && journal.First == journal.Next;
        }
    }

    /// <exception cref="CliException">A line was refused for good, or <see cref="RecordOptions.GiveUp"/> has passed.</exception>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        for (var sequence = journal.First; sequence < journal.Next; sequence++) _waitingBytes += journal[sequence].Length;
        var reading = ReadInputAsync(stopping);
        try
        {
            await ServeAsync(reading, stopping.Token);
        }
        catch (OperationCanceledException) when (reading.IsFaulted)
        {
            await reading;
        }
        finally
        {
            await stopping.CancelAsync();
            // A read of standard input cannot be called back: it ends with the process.
            await Task.WhenAny(reading, Task.Delay(TimeSpan.FromMilliseconds(50), CancellationToken.None));
        }
    }

    public void Dispose()
    {
        _more.Dispose();
        _room.Dispose();
    }

    /// <summary>
    /// Connection after connection, until all is stored. The server need not be there at the start: a pipe at boot must not end for that.
    /// </summary>
    private async Task ServeAsync(Task reading, CancellationToken cancellationToken)
    {
        var wasConnected = false;
        var lost = Stopwatch.StartNew();
        for (var pause = FirstPause; ; pause = Longer(pause))
        {
            Link? link = null;
            try
            {
                link = await dialer.ConnectAsync(cancellationToken);
                if (wasConnected) Summary.Reconnects++;
                wasConnected = true;
                var before = Summary.Stored;
                try
                {
                    await ServeAsync(link, cancellationToken);
                    if (!reading.IsCompletedSuccessfully) await reading;
                    return;
                }
                finally
                {
                    if (Summary.Stored > before) (pause, lost) = (FirstPause, Stopwatch.StartNew());
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException && Failure.Of(exception) is { } failure && failure.ExitCode is ExitCode.Cut or ExitCode.TimedOut or ExitCode.Unreachable or ExitCode.UnknownHost)
            {
                if (options.GiveUp is { } limit && lost.Elapsed > limit) throw new CliException(failure.ExitCode, $"{failure.Text} What is not stored yet goes first in the next run.");
                var doing = wasConnected ? "Trying" : "Waiting for the server, trying";
                await console.SayAsync($"perch: {failure.Text} {doing} again in {pause.TotalSeconds:0.#} s.");
            }
            finally
            {
                if (link is not null) await link.DisposeAsync();
            }

            await Task.Delay(pause, cancellationToken);
        }
    }

    private static TimeSpan Longer(TimeSpan pause) => pause * 2 < LongestPause ? pause * 2 : LongestPause;

    private async Task ReadInputAsync(CancellationTokenSource stopping)
    {
        var lines = new LineSource(console.Input);
        try
        {
            while (await lines.ReadAsync(stopping.Token) is { } line)
            {
                lock (_lock)
                {
                    journal.Add(line.Span);
                    _waitingBytes += line.Length;
                    // What is there already goes into the file, and over the wire, together.
                    if (lines.HasLine && IsRoom()) continue;
                    journal.Write();
                }

                _more.Release();
                while (!HasRoom()) await _room.WaitAsync(stopping.Token);
            }
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            await stopping.CancelAsync();
            throw;
        }

        lock (_lock)
        {
            journal.Write();
            _isInputEnded = true;
        }

        _more.Release();
    }

    private bool HasRoom()
    {
        lock (_lock) return IsRoom();
    }

    private bool IsRoom() => journal.Next - journal.First < options.Window && _waitingBytes < options.WindowBytes;

    /// <summary>One connection, until all is done; any other end is an exception.</summary>
    private async Task ServeAsync(Link link, CancellationToken cancellationToken)
    {
        lock (_lock) _nextToSend = journal.First;
        if (IsDone) return;
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var receiving = ReceiveAsync(link, ending.Token);
        var sending = SendAsync(link, ending.Token);
        try
        {
            var ended = await Task.WhenAny(receiving, sending);
            await ended;
            // The last answer may have come before the input ended: then no other will.
            if (ended == sending && IsDone) return;
            await receiving;
        }
        finally
        {
            await ending.CancelAsync();
            await Task.WhenAll(receiving, sending).ContinueWith(static done => _ = done.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    private async Task SendAsync(Link link, CancellationToken cancellationToken)
    {
        var output = new ArrayBufferWriter<byte>(SendBytes);
        while (true)
        {
            bool isEnded;
            lock (_lock)
            {
                for (; _nextToSend < journal.Next && output.WrittenCount < SendBytes; _nextToSend++)
                {
                    Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"@{journal.Sender}/{_nextToSend} "), output);
                    output.Write(journal[_nextToSend]);
                    output.Write("\n"u8);
                }

                isEnded = _isInputEnded && _nextToSend == journal.Next;
                // Only what the file has may be sent.
                if (output.WrittenCount > 0) journal.Write();
            }

            if (output.WrittenCount > 0)
            {
                await link.WriteAsync(output.WrittenMemory, cancellationToken);
                output.ResetWrittenCount();
            }
            else if (isEnded)
            {
                return;
            }
            else
            {
                await _more.WaitAsync(cancellationToken);
            }
        }
    }

    private async Task ReceiveAsync(Link link, CancellationToken cancellationToken)
    {
        var answers = new LineSource((buffer, token) => ReadAsync(link, buffer, token), MostAnswerBytes);
        while (!IsDone)
        {
            if (await answers.ReadAsync(cancellationToken) is not { } answer) throw new CliException(ExitCode.Cut, "The server closed the connection.");
            Take(answer.Span);
            if (!answers.HasLine) _room.Release();
        }
    }

    /// <summary>Silence is a fault only while answers are due.</summary>
    private async ValueTask<int> ReadAsync(Link link, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var reading = link.ReadAsync(buffer, cancellationToken).AsTask();
        while (true)
        {
            long due;
            lock (_lock) due = _nextToSend - journal.First;
            if (await Task.WhenAny(reading, Task.Delay(dialer.Timeout, cancellationToken)) == reading) return await reading;
            cancellationToken.ThrowIfCancellationRequested();
            if (due > 0) throw new CliException(ExitCode.TimedOut, $"The server acknowledged nothing for {dialer.Timeout.TotalSeconds:0.###} s (--timeout).");
            if (IsDone) return 0;
        }
    }

    private void Take(ReadOnlySpan<byte> answer)
    {
        lock (_lock)
        {
            if (journal.First >= _nextToSend && !answer.StartsWith("ERR "u8)) throw Unexpected(answer);
            if (answer.SequenceEqual("OK"u8) || answer.StartsWith("OK "u8))
            {
                Summary.Stored++;
                if (answer.Length > 3 && long.TryParse(answer[3..], NumberStyles.None, CultureInfo.InvariantCulture, out var id)) Summary.LastId = id;
            }
            else if (!answer.StartsWith("ERR "u8))
            {
                throw Unexpected(answer);
            }
            else if (journal.First < _nextToSend && (answer.StartsWith("ERR too-long "u8) || answer.StartsWith("ERR malformed "u8)))
            {
                if (!options.SkipRefused)
                    throw new CliException(ExitCode.Refused, $"The server refuses a line of {journal[journal.First].Length} bytes for good: {PeerText.Escape(answer)}. It stays first in the state; --skip-refused leaves such lines out.");
                Summary.Skipped++;
            }
            else
            {
                // Later lines may have been stored: their keys tell the server, when all are sent again.
                throw new CliException(ExitCode.Cut, $"The server cannot store now: {PeerText.Escape(answer)}.");
            }

            _waitingBytes -= journal[journal.First].Length;
            journal.Acknowledge();
        }
    }

    private static CliException Unexpected(ReadOnlySpan<byte> answer) =>
        new(ExitCode.Refused, $"The peer answered '{PeerText.Escape(answer)}': perch record needs an endpoint with \"Framing\": \"Line\", \"Ack\": \"OK {{id}}\\n\" and \"Deduplicate\": true.");
}
