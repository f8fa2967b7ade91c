using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Perch.Benchmarks;

/// <summary>
/// Fills a database through its server, chunk by chunk, each like the others: so what a query looks at in one of them does
/// not depend on how many there are.
/// </summary>
internal sealed class RecordFill
{
    public const int ChunkRows = 10_000;

    /// <summary>Rows of a chunk that have the word <see cref="Word"/>, and as many that came from the endpoint <c>other</c>.</summary>
    public const int Rare = 10;

    public const string Word = "needle";

    private readonly byte[] _chunk;
    private readonly byte[] _others;

    public RecordFill()
    {
        var rows = Enumerable.Range(0, ChunkRows - Rare).Select(row => Line(row, row % (ChunkRows / Rare) == 0 ? Word : ""));
        _chunk = Encoding.ASCII.GetBytes(string.Concat(rows));
        _others = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, Rare).Select(row => Line(row, ""))));
    }

    /// <summary>Returns when they are all acknowledged.</summary>
    public async Task RunAsync(ServerProcess server, int rows)
    {
        using var bench = await ConnectAsync(server.EndPoint);
        using var other = await ConnectAsync(await server.FindAsync("other"));
        for (var chunk = 0; chunk < rows / ChunkRows; chunk++)
        {
            await StoreAsync(bench, _chunk, ChunkRows - Rare);
            await StoreAsync(other, _others, Rare);
        }
    }

    private static string Line(int row, string word) => string.Create(CultureInfo.InvariantCulture, $"{word,-10}{row,6}").PadRight(BareSqlite.MessageBytes, 'x') + "\n";

    private static async Task<Socket> ConnectAsync(IPEndPoint server)
    {
        var socket = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(server);
        return socket;
    }

    private static async Task StoreAsync(Socket socket, byte[] lines, int count)
    {
        var sending = SendAsync(socket, lines);
        var buffer = new byte[64 * 1024];
        while (count > 0)
        {
            var length = await socket.ReceiveAsync(buffer);
            var answers = buffer.AsSpan(0, length);
            if (length == 0 || answers.Contains((byte)'E')) throw new UnreachableException($"The server refused: {Encoding.UTF8.GetString(answers)}");
            count -= answers.Count((byte)'\n');
        }

        await sending;
    }

    private static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[await socket.SendAsync(bytes)..];
    }
}
