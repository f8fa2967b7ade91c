using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>Connect, send one message, read it back, close, again: the latency is that of all of it.</summary>
internal sealed class ConnectLoop(EndPoint address, BenchOptions options, BenchProgress progress)
    : LoadLoop(address, options, progress, BenchPattern.Stream())
{
    private const int MostFailures = 1000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private long _looked;

    protected override bool OpensAgain => Progress.Errors < MostFailures;

    protected override void Connected(LoadConnection connection, long now)
    {
        connection.Queued = Options.Size;
        Writable(connection);
    }

    protected override int Tick(long now)
    {
        if (now - _looked > Stopwatch.Frequency)
        {
            _looked = now;
            foreach (var connection in Connections)
            {
                if (connection.Socket is not null && now - connection.StartedAt > Ticks(Patience)) Drop(connection, "A connection was not answered within 5 s.");
                if (connection.Socket is null && OpensAgain) Connect(connection);
            }
        }

        return base.Tick(now);
    }

    protected override void Writable(LoadConnection connection)
    {
        while (connection.Sent < connection.Queued)
        {
            var length = (int)Math.Min(connection.Queued - connection.Sent, BenchPattern.WindowBytes);
            var sent = SocketCalls.Send(connection.Socket!, Pattern.At(connection.Sent, length), out var error);
            if (error == SocketError.WouldBlock)
            {
                SetWrite(connection, wantsWrite: true);
                return;
            }

            if (error != SocketError.Success)
            {
                Again(connection, Fault(error));
                return;
            }

            connection.Sent += sent;
        }

        SetWrite(connection, wantsWrite: false);
    }

    protected override void Readable(LoadConnection connection, bool isEnding)
    {
        var count = SocketCalls.Receive(connection.Socket!, Buffer, out var error);
        if (error == SocketError.WouldBlock) return;
        if (error != SocketError.Success || count == 0)
        {
            Again(connection, error == SocketError.Success ? "The peer closed a connection before its answer." : Fault(error));
            return;
        }

        for (var i = 0; i < count; i++, connection.Received++)
        {
            var at = connection.Received - Options.Prefix.Length;
            if (Buffer[i] == (at < 0 ? Options.Prefix[connection.Received] : Pattern.At(at, 1)[0])) continue;
            Progress.Wrong++;
            Again(connection, "What came back is not what was sent (see --prefix).");
            return;
        }

        if (Progress.IsMeasuring) Progress.Bytes += count;
        if (connection.Received < Options.Prefix.Length + Options.Size) return;
        Record(connection.StartedAt, Stopwatch.GetTimestamp());
        if (Progress.IsMeasuring) Progress.Messages++;
        Again(connection, null);
    }

    private void Again(LoadConnection connection, string? fault)
    {
        Drop(connection, fault);
        // One that failed waits for the next look: nothing is tried in a circle.
        if (fault is null) Connect(connection);
    }
}
