using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.Wire.Tftp;

namespace Perch.Tftp.Tests;

/// <summary>A whole client, to be used through a network that loses, doubles and reorders.</summary>
internal sealed class TftpClient : IDisposable
{
    private const int MostTries = 40;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
    private readonly IPEndPoint _server;
    private readonly byte[] _in = new byte[65536];
    private readonly byte[] _out = new byte[65536];
    private IPEndPoint? _transfer;
    private CancellationTokenSource _limit = new();
    private int _length;

    public TftpClient(IPEndPoint server)
    {
        _server = server;
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
    }

    public int? BlockSize { get; set; }

    public int? WindowSize { get; set; }

    /// <summary>When it sends something again; the server is asked to do the same.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Whether it acknowledges the last block once more where that comes again.</summary>
    public bool Dallies { get; set; }

    public int SentAgain { get; private set; }

    public async Task<byte[]> ReadAsync(string name)
    {
        var (file, expected, acknowledged) = (new List<byte>(), 1L, 0L);
        var (block, window) = await OpenAsync(name, isWrite: false, TftpOpcode.Data);
        var isPending = TftpPacket.OpcodeOf(_in.AsSpan(0, _length)) == TftpOpcode.Data;
        Listen(Timeout);
        if (!isPending) Acknowledge(0);
        for (var tries = 0; ;)
        {
            if (!isPending && !await HearAsync())
            {
                Assert.True(++tries < MostTries, $"block {expected} never came");
                SentAgain++;
                Listen(Timeout);
                Acknowledge(acknowledged = expected - 1);
                continue;
            }

            isPending = false;
            if (!TftpPacket.TryReadData(_in.AsSpan(0, _length), out var number, out var data))
            {
                // The offer once more: its acknowledgement was lost.
                if (expected == 1 && TftpPacket.OpcodeOf(_in.AsSpan(0, _length)) == TftpOpcode.OptionAcknowledgment) Acknowledge(0);
                continue;
            }

            if (number != unchecked((ushort)expected))
            {
                if (acknowledged != expected - 1 || number == unchecked((ushort)(expected - 1))) Acknowledge(acknowledged = expected - 1);
                continue;
            }

            tries = 0;
            Listen(Timeout);
            file.AddRange(data);
            expected++;
            var isLast = data.Length < block;
            if (isLast || expected - 1 - acknowledged >= window) Acknowledge(acknowledged = expected - 1);
            if (!isLast) continue;
            if (!Dallies) return [.. file];
            // The acknowledgement may be lost: the last block comes again then.
            Listen(Timeout * 4);
            while (await HearAsync(mayFail: true)) Acknowledge(acknowledged);
            return [.. file];
        }
    }

    public async Task WriteAsync(string name, byte[] bytes)
    {
        var (block, window) = await OpenAsync(name, isWrite: true, TftpOpcode.Acknowledgment);
        var last = (bytes.Length / block) + 1L;
        var (acknowledged, isStale) = (0L, true);
        for (var tries = 0; acknowledged < last;)
        {
            if (isStale)
            {
                for (var next = acknowledged + 1; next <= Math.Min(last, acknowledged + window); next++) SendBlock(bytes, next, block);
            }

            if (isStale) Listen(Timeout);
            isStale = false;
            if (!await HearAsync())
            {
                Assert.True(++tries < MostTries, $"block {acknowledged + 1} was never acknowledged");
                SentAgain++;
                isStale = true;
                continue;
            }

            if (!TftpPacket.TryReadAcknowledgment(_in.AsSpan(0, _length), out var number)) continue;
            var ahead = unchecked((ushort)(number - (ushort)acknowledged));
            if (ahead == 0 || ahead > window) continue;
            (acknowledged, tries, isStale) = (acknowledged + ahead, 0, true);
        }
    }

    public void Dispose()
    {
        _socket.Dispose();
        _limit.Dispose();
    }

    /// <summary>Asks until there is an answer, which is left in the buffer.</summary>
    private async Task<(int Block, int Window)> OpenAsync(string name, bool isWrite, TftpOpcode plain)
    {
        var options = new TftpOptionSet { BlockSize = BlockSize, WindowSize = WindowSize, TimeoutMicroseconds = (int)Timeout.TotalMicroseconds };
        var request = new TftpRequest(isWrite, Encoding.UTF8.GetBytes(name), TftpMode.Octet, options);
        for (var tries = 0; tries < MostTries; tries++)
        {
            if (tries > 0) SentAgain++;
            Listen(Timeout);
            _socket.SendTo(_out.AsSpan(0, request.Write(_out)), _server);
            if (!await HearAsync()) continue;
            var packet = _in.AsSpan(0, _length);
            if (TftpPacket.TryReadOptionAcknowledgment(packet, out var accepted)) return (accepted.BlockSize ?? 512, accepted.WindowSize ?? 1);
            if (TftpPacket.OpcodeOf(packet) == plain) return (512, 1);
        }

        throw new InvalidOperationException("The server never answered.");
    }

    private void Acknowledge(long block)
    {
        TftpPacket.WriteAcknowledgment(_out, unchecked((ushort)block));
        _socket.SendTo(_out.AsSpan(0, TftpPacket.HeaderBytes), _transfer!);
    }

    private void SendBlock(byte[] bytes, long number, int block)
    {
        TftpPacket.WriteDataHeader(_out, unchecked((ushort)number));
        var data = bytes.AsSpan((int)((number - 1) * block));
        data = data[..Math.Min(block, data.Length)];
        data.CopyTo(_out.AsSpan(TftpPacket.HeaderBytes));
        _socket.SendTo(_out.AsSpan(0, TftpPacket.HeaderBytes + data.Length), _transfer!);
    }

    private void Listen(TimeSpan within)
    {
        _limit.Dispose();
        _limit = new(within);
    }

    /// <param name="mayFail">Whether an ERROR is like silence: one that comes when all is done answers what was doubled.</param>
    /// <returns>False where nothing has come since <see cref="Listen"/> in its time. An ERROR fails the test.</returns>
    private async Task<bool> HearAsync(bool mayFail = false)
    {
        while (true)
        {
            try
            {
                var received = await _socket.ReceiveFromAsync(_in.AsMemory(), SocketFlags.None, _server, _limit.Token);
                _transfer ??= (IPEndPoint)received.RemoteEndPoint;
                if (!received.RemoteEndPoint.Equals(_transfer)) continue;
                _length = received.ReceivedBytes;
                if (!TftpPacket.TryReadError(_in.AsSpan(0, _length), out var code, out var text)) return true;
                if (mayFail) return false;
                Assert.Fail($"error {code}: {Encoding.ASCII.GetString(text)}");
            }
            catch (OperationCanceledException)
            {
                return false;
            }
        }
    }
}
