using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.Tests.Shared;
using Perch.Wire.Tftp;

namespace Perch.Tftp.Tests;

/// <summary>
/// A client that says what a test tells it to. It answers whoever has sent the last packet, as a client answers the transfer
/// identifier of its server.
/// </summary>
internal sealed class TftpPeer : IDisposable
{
    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
    private readonly IPEndPoint _server;
    private readonly byte[] _buffer = new byte[65536];

    public TftpPeer(IPEndPoint server, IPAddress from, int port = 0)
    {
        _socket.Bind(new IPEndPoint(from, port));
        _server = server;
        Transfer = server;
    }

    /// <summary>Who sent the last packet.</summary>
    public IPEndPoint Transfer { get; set; }

    public IPEndPoint Local => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>Whether something has arrived that was not received.</summary>
    public bool HasPacket => _socket.Available > 0 || _socket.Poll(0, SelectMode.SelectRead);

    /// <param name="name">The file.</param>
    /// <param name="options">Names and values with a space between each.</param>
    /// <param name="mode">The mode.</param>
    public void Read(string name, string options = "", string mode = "octet") => Request(1, name, options, mode);

    /// <inheritdoc cref="Read"/>
    public void Write(string name, string options = "", string mode = "octet") => Request(2, name, options, mode);

    /// <summary>To the endpoint's port.</summary>
    public void Ask(ReadOnlySpan<byte> packet) => _socket.SendTo(packet, _server);

    public void Acknowledge(int block) => Send([0, 4, (byte)(block >> 8), (byte)block]);

    public void Data(int block, ReadOnlySpan<byte> data) => Send([0, 3, (byte)(block >> 8), (byte)block, .. data]);

    public void Error(int code, string text = "") => Send([0, 5, 0, (byte)code, .. Encoding.ASCII.GetBytes(text), 0]);

    /// <summary>To the transfer.</summary>
    public void Send(ReadOnlySpan<byte> packet) => _socket.SendTo(packet, Transfer);

    public async Task<byte[]> ReceiveAsync()
    {
        var received = await _socket.ReceiveFromAsync(_buffer.AsMemory(), SocketFlags.None, _server).AsTask().Soon();
        Transfer = (IPEndPoint)received.RemoteEndPoint;
        return _buffer[..received.ReceivedBytes];
    }

    public async Task<byte[]> DataAsync(int block)
    {
        var packet = await ReceiveAsync();
        Assert.True(TftpPacket.TryReadData(packet, out var number, out var data), Show(packet));
        Assert.Equal(block, number);
        return data.ToArray();
    }

    public async Task AcknowledgedAsync(int block)
    {
        var packet = await ReceiveAsync();
        Assert.True(TftpPacket.TryReadAcknowledgment(packet, out var number), Show(packet));
        Assert.Equal((block, 4), (number, packet.Length));
    }

    /// <returns>The options, as <see cref="Read"/> takes them.</returns>
    public async Task<string> OptionsAsync()
    {
        var packet = await ReceiveAsync();
        Assert.True(TftpPacket.OpcodeOf(packet) == TftpOpcode.OptionAcknowledgment, Show(packet));
        return Encoding.ASCII.GetString(packet, 2, packet.Length - 3).Replace('\0', ' ');
    }

    /// <returns>The text.</returns>
    public async Task<string> ErrorAsync(int code)
    {
        var packet = await ReceiveAsync();
        Assert.True(TftpPacket.TryReadError(packet, out var number, out var text), Show(packet));
        Assert.Equal((code, 0), (number, packet[^1]));
        return Encoding.ASCII.GetString(text);
    }

    /// <summary>Reads a file, one block after the other.</summary>
    public async Task<byte[]> ReadAllAsync(string name, string mode = "octet")
    {
        Read(name, mode: mode);
        var all = new List<byte>();
        for (var block = 1; ; block++)
        {
            var data = await DataAsync(block & 0xFFFF);
            all.AddRange(data);
            Acknowledge(block & 0xFFFF);
            if (data.Length < TftpOptionSet.DefaultBlockSize) return [.. all];
        }
    }

    /// <summary>Writes a file, one block after the other.</summary>
    public async Task WriteAllAsync(string name, byte[] bytes, string mode = "octet")
    {
        Write(name, mode: mode);
        await AcknowledgedAsync(0);
        for (var block = 1; ; block++)
        {
            var data = bytes.Skip((block - 1) * 512).Take(512).ToArray();
            Data(block, data);
            await AcknowledgedAsync(block);
            if (data.Length < 512) return;
        }
    }

    public void Dispose() => _socket.Dispose();

    private static string Show(byte[] packet) => $"received {Convert.ToHexString(packet.AsSpan(0, Math.Min(64, packet.Length)))}: {Encoding.Latin1.GetString(packet, 0, Math.Min(64, packet.Length))}";

    private void Request(byte opcode, string name, string options, string mode)
    {
        Transfer = _server;
        Ask([0, opcode, .. Encoding.UTF8.GetBytes($"{name}\0{mode}\0{string.Concat(options.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(o => o + '\0'))}")]);
    }
}
