using System.Net;
using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>Bytes as fast as the peer takes them; with <see cref="BenchOptions.IsBothWays"/> what comes back is compared and counted.</summary>
internal sealed class StreamLoop(EndPoint address, BenchOptions options, BenchProgress progress)
    : LoadLoop(address, options, progress, BenchPattern.Stream())
{
    private const int Rounds = 16;

    protected override void Begin(long now)
    {
        foreach (var connection in Connections.Where(c => c.IsUp)) SetWrite(connection, wantsWrite: true);
    }

    protected override void Writable(LoadConnection connection)
    {
        var piece = Math.Min(Options.Size, BenchPattern.WindowBytes);
        for (var round = 0; round < Rounds; round++)
        {
            var sent = SocketCalls.Send(connection.Socket!, Pattern.At(connection.Sent, piece), out var error);
            if (error == SocketError.WouldBlock) return;
            if (error != SocketError.Success)
            {
                Drop(connection, Fault(error));
                return;
            }

            connection.Sent += sent;
            if (Progress.IsMeasuring && !Options.IsBothWays) Progress.Bytes += sent;
        }
    }

    protected override void Readable(LoadConnection connection, bool isEnding)
    {
        for (var round = 0; round < Rounds; round++)
        {
            var count = SocketCalls.Receive(connection.Socket!, Buffer, out var error);
            if (error == SocketError.WouldBlock) return;
            if (error != SocketError.Success || count == 0)
            {
                Drop(connection, error == SocketError.Success ? "The peer closed a connection." : Fault(error));
                return;
            }

            if (Options.IsBothWays)
            {
                if (!Buffer.AsSpan(0, count).SequenceEqual(Pattern.At(connection.Received, count)))
                {
                    Progress.Wrong++;
                    Drop(connection, "What came back is not what was sent.");
                    return;
                }

                if (Progress.IsMeasuring) Progress.Bytes += count;
            }

            connection.Received += count;
            if (count < Buffer.Length) return;
        }
    }
}
