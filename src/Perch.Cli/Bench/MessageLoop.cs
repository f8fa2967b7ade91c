using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Numerics;

namespace Perch.Cli.Bench;

/// <summary>
/// Messages and their answers: echo, lines, and the pings of held connections. Closed loop: each answer lets the next message go. Open
/// loop: messages go at their times, and an answer's latency counts from the time at which its message should have gone, so a server
/// that stalls shows in every message that it held up (no coordinated omission).
/// </summary>
internal sealed class MessageLoop : LoadLoop
{
    private const int LongestBacklog = 65536;
    private const long MostTimes = 8_000_000;

    private readonly double _step;
    private double _next;
    private int _turn;

    public MessageLoop(EndPoint address, BenchOptions options, BenchProgress progress)
        : base(address, options, progress, options.Mode == BenchMode.Line ? BenchPattern.Lines(options.Size) : BenchPattern.Stream(), isEdgeTriggered: true)
    {
        var rate = options.Mode == BenchMode.Hold ? options.Ping * options.Connections : options.Rate;
        _step = rate > 0 ? Stopwatch.Frequency / rate : 0;
        if (options.Prefix.Length > 0 && Pattern.Contains(options.Prefix)) throw new CliException(ExitCode.Usage, "--prefix is too short to be told from the content.");
        var backlog = (int)BitOperations.RoundUpToPowerOf2((uint)(rate > 0 ? Math.Clamp(MostTimes / options.Connections / 2, 2, LongestBacklog) : options.Depth + 1));
        foreach (var connection in Connections)
        {
            connection.Times = new long[options.Mode == BenchMode.Hold ? 2 : backlog];
            connection.Offset = options.Mode == BenchMode.Line ? (long)connection.Id % 64 * options.Size : connection.Id * 7919L;
        }
    }

    private bool IsOpenLoop => _step > 0 || Options.Mode == BenchMode.Hold;

    protected override void Begin(long now)
    {
        _next = now;
        if (IsOpenLoop) return;
        foreach (var connection in Connections.Where(c => c.IsUp))
        {
            for (var i = 0; i < Options.Depth; i++) Push(connection, now);
            Writable(connection);
        }
    }

    protected override int Tick(long now)
    {
        if (_step == 0) return base.Tick(now);
        while (_next <= now && Progress.Up > 0)
        {
            var connection = Connections[_turn];
            _turn = (_turn + 1) % Connections.Length;
            if (!connection.IsUp) continue;
            if (connection.Pushed - connection.Done >= connection.Times.Length - 1)
            {
                // It counts, with the wait that it has had at the end.
                if (Progress.IsMeasuring)
                {
                    Progress.Unsent++;
                    Record(TimeOf(connection, connection.Done), now);
                }
            }
            else
            {
                Push(connection, (long)_next);
                Writable(connection);
            }

            _next += _step;
        }

        // Below a millisecond the poller cannot wait: the thread looks again.
        return (int)((_next - now) * NanosecondsPerTick / 1e6);
    }

    /// <summary>What was not answered has waited at least until now.</summary>
    protected override void End(long now)
    {
        if (!IsOpenLoop) return;
        foreach (var connection in Connections)
        {
            for (var message = connection.Done; message < connection.Pushed; message++) Record(TimeOf(connection, message), now);
        }
    }

    protected override void Writable(LoadConnection connection)
    {
        while (connection.Sent < connection.Queued)
        {
            var length = (int)Math.Min(connection.Queued - connection.Sent, BenchPattern.WindowBytes);
            var sent = SocketCalls.Send(connection.Socket!, Pattern.At(connection.Sent + connection.Offset, length), out var error);
            if (error == SocketError.Success)
            {
                connection.Sent += sent;
                continue;
            }

            if (error == SocketError.WouldBlock) SetWrite(connection, wantsWrite: true);
            else Drop(connection, Fault(error));
            return;
        }

        SetWrite(connection, wantsWrite: false);
    }

    protected override void Readable(LoadConnection connection, bool isEnding)
    {
        var before = connection.Done;
        long now = 0;
        int count;
        do
        {
            count = SocketCalls.Receive(connection.Socket!, Buffer, out var error);
            if (error == SocketError.WouldBlock) break;
            if (error != SocketError.Success || count == 0)
            {
                CountAnswers(connection, before, now);
                Drop(connection, count == 0 && error == SocketError.Success ? "The peer closed a connection." : Fault(error));
                return;
            }

            now = Stopwatch.GetTimestamp();
            if (Progress.IsMeasuring) Progress.Bytes += count;
            if (!Take(connection, Buffer.AsSpan(0, count)))
            {
                Progress.Wrong++;
                Drop(connection, null);
                return;
            }
        }
        while (count == Buffer.Length || isEnding);

        CountAnswers(connection, before, now);
        if (IsOpenLoop || connection.Done == before) return;
        for (var message = before; message < connection.Done; message++) Push(connection, now);
        Writable(connection);
    }

    /// <summary>Messages that went together and came back together have one latency: it is counted once for all.</summary>
    private void CountAnswers(LoadConnection connection, long message, long now)
    {
        if (!Progress.IsMeasuring) return;
        Progress.Messages += connection.Done - message;
        while (message < connection.Done)
        {
            var (first, since) = (message, TimeOf(connection, message));
            while (++message < connection.Done && TimeOf(connection, message) == since)
            {
                // One more of them.
            }

            Record(since, now, (int)(message - first));
        }
    }

    private static long TimeOf(LoadConnection connection, long message) => connection.Times[message & (connection.Times.Length - 1)];

    private void Push(LoadConnection connection, long time)
    {
        connection.Times[connection.Pushed++ & (connection.Times.Length - 1)] = time;
        connection.Queued += Options.Size;
    }

    /// <returns>False where they are not the right answer.</returns>
    private bool Take(LoadConnection connection, ReadOnlySpan<byte> bytes) =>
        Options.Mode == BenchMode.Line ? TakeLines(connection, bytes) : Options.Prefix.Length == 0 ? TakeEcho(connection, bytes) : TakePrefixed(connection, bytes);

    private bool TakeEcho(LoadConnection connection, ReadOnlySpan<byte> bytes)
    {
        if (!bytes.SequenceEqual(Pattern.At(connection.Received + connection.Offset, bytes.Length)) || connection.Received + bytes.Length > connection.Sent)
            return Wrong(connection.Received == 0 && bytes.StartsWith("GOT:"u8)
                ? "The server puts 'GOT:' before what comes back: say so with --prefix GOT:."
                : "What came back is not what was sent.");
        connection.Received += bytes.Length;
        connection.Done = connection.Received / Options.Size;
        return true;
    }

    /// <summary>
    /// A server without framing puts its prefix before what one read brought, wherever that began: it is taken out where it stands. The
    /// pattern itself does not have it (see the constructor).
    /// </summary>
    private bool TakePrefixed(LoadConnection connection, ReadOnlySpan<byte> bytes)
    {
        ReadOnlySpan<byte> prefix = Options.Prefix;
        if (connection.PrefixBytes > 0)
        {
            var rest = prefix[connection.PrefixBytes..];
            var length = Math.Min(rest.Length, bytes.Length);
            if (!bytes[..length].SequenceEqual(rest[..length]))
            {
                // It was no prefix, but bytes that look like the begin of one.
                if (!TakeEcho(connection, prefix[..connection.PrefixBytes])) return false;
                connection.PrefixBytes = 0;
            }
            else
            {
                connection.PrefixBytes = length == rest.Length ? 0 : connection.PrefixBytes + length;
                bytes = bytes[length..];
            }
        }

        while (bytes.IndexOf(prefix) is var at and >= 0)
        {
            if (!TakeEcho(connection, bytes[..at])) return false;
            bytes = bytes[(at + prefix.Length)..];
        }

        var tail = connection.PrefixBytes > 0 ? 0 : Math.Min(prefix.Length - 1, bytes.Length);
        // What is the content that is due is no begin of a prefix: nothing that is complete waits for more.
        while (tail > 0 && (!bytes.EndsWith(prefix[..tail]) || bytes.SequenceEqual(Pattern.At(connection.Received + connection.Offset, bytes.Length)))) tail--;
        if (tail > 0) connection.PrefixBytes = tail;
        return TakeEcho(connection, bytes[..^tail]);
    }

    private bool TakeLines(LoadConnection connection, ReadOnlySpan<byte> bytes)
    {
        connection.Received += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (connection.IsAtLineStart && bytes[0] != (byte)'O') return Wrong($"An answer is not OK: '{Wire.PeerText.Escape(bytes, 80)}'.");
            var end = bytes.IndexOf((byte)'\n');
            connection.IsAtLineStart = end >= 0;
            if (end < 0) return true;
            connection.Done++;
            bytes = bytes[(end + 1)..];
        }

        return connection.Done <= connection.Pushed || Wrong("More answers came than lines were sent.");
    }

    private bool Wrong(string what)
    {
        Progress.Fail(what);
        return false;
    }
}
