using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Files;

/// <summary>A client of <c>files</c> as somebody would write it in an afternoon.</summary>
internal sealed class FileClient : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly NetworkStream _stream;
    private readonly List<byte> _line = [];
    private readonly byte[] _buffer = new byte[64 * 1024];
    private ReadOnlyMemory<byte> _unread;

    private FileClient(int port)
    {
        _socket.Connect("127.0.0.1", port);
        _stream = new(_socket, ownsSocket: true);
    }

    public static FileClient Connect(int port) => new(port);

    public static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    public async Task SendAsync(ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(Poll.Deadline);
        await _stream.WriteAsync(bytes, limit.Token);
    }

    public Task SendAsync(string text) => SendAsync(Encoding.UTF8.GetBytes(text));

    public async Task<string> ReadLineAsync()
    {
        _line.Clear();
        while (true)
        {
            if (_unread.IsEmpty) await FillAsync();
            var end = _unread.Span.IndexOf((byte)'\n');
            _line.AddRange((end < 0 ? _unread : _unread[..end]).Span);
            _unread = end < 0 ? default : _unread[(end + 1)..];
            if (end >= 0) return Encoding.UTF8.GetString(_line.ToArray());
        }
    }

    public async Task<string> AskAsync(string line)
    {
        await SendAsync(line + "\n");
        return await ReadLineAsync();
    }

    /// <summary>Reads so many bytes and drops them.</summary>
    /// <returns>Their hash.</returns>
    public async Task<string> ReadHashAsync(long count)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        while (count > 0)
        {
            if (_unread.IsEmpty) await FillAsync();
            var part = _unread[..(int)Math.Min(_unread.Length, count)];
            hash.AppendData(part.Span);
            _unread = _unread[part.Length..];
            count -= part.Length;
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <returns>What is durable of an upload that is not finished; 0 where there is none.</returns>
    public async Task<long> PartialAsync(string name)
    {
        var answer = await AskAsync($"STAT {name}");
        var at = answer.IndexOf("partial=", StringComparison.Ordinal);
        return at < 0 ? 0 : long.Parse(answer.AsSpan(at + "partial=".Length), CultureInfo.InvariantCulture);
    }

    public void Reset()
    {
        _socket.LingerState = new(enable: true, seconds: 0);
        _socket.Close();
    }

    public void Dispose() => _stream.Dispose();

    private async Task FillAsync()
    {
        using var limit = new CancellationTokenSource(Poll.Deadline);
        var read = await _stream.ReadAsync(_buffer, limit.Token);
        if (read == 0) throw new EndOfStreamException("The server closed the connection.");
        _unread = _buffer.AsMemory(0, read);
    }
}
