using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Datagrams;

/// <summary>A connected UDP socket; every wait ends after <see cref="Poll.Deadline"/>.</summary>
internal sealed class UdpClientSocket : IDisposable
{
    private readonly Socket _socket;
    private readonly byte[] _buffer = new byte[65536];

    public UdpClientSocket(IPEndPoint server, IPEndPoint? local = null)
    {
        _socket = new(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = 1 << 20 };
        if (local is not null) _socket.Bind(local);
        _socket.Connect(server);
    }

    public static async Task<UdpClientSocket> ConnectAsync(AdminClient admin, string endpoint) => new(new(IPAddress.Loopback, await admin.GetPortAsync(endpoint)));

    public bool HasReply => _socket.Poll(0, SelectMode.SelectRead);

    public void Send(string text) => _socket.Send(Encoding.UTF8.GetBytes(text));

    public void Send(ReadOnlySpan<byte> bytes) => _socket.Send(bytes);

    /// <param name="within">How long to wait; <see cref="Poll.Deadline"/> by default.</param>
    public async Task<byte[]> ReceiveAsync(TimeSpan? within = null)
    {
        using var limit = new CancellationTokenSource(within ?? Poll.Deadline);
        return _buffer[..await _socket.ReceiveAsync(_buffer.AsMemory(), limit.Token)];
    }

    public async Task<string> AskAsync(string text, TimeSpan? within = null)
    {
        Send(text);
        return Encoding.UTF8.GetString(await ReceiveAsync(within));
    }

    public void Dispose() => _socket.Dispose();
}

/// <summary>Sends IPv4 datagrams with whatever source (raw(7)).</summary>
internal static class Forger
{
    public static void Send(IPEndPoint from, IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        using var socket = Open();
        Send(socket, from, to, payload);
    }

    private static Socket Open()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Raw);
        socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.HeaderIncluded, true);
        return socket;
    }

    private static void Send(Socket socket, IPEndPoint from, IPEndPoint to, ReadOnlySpan<byte> payload)
    {
        const int Headers = 28;
        var packet = new byte[Headers + payload.Length];
        // Version and length; the system fills in the total length, the id and the checksum. UDP's checksum may be 0 (RFC 768).
        packet[0] = 0x45;
        (packet[8], packet[9]) = (64, 17);
        from.Address.TryWriteBytes(packet.AsSpan(12), out _);
        to.Address.TryWriteBytes(packet.AsSpan(16), out _);
        WritePort(packet.AsSpan(20), from.Port);
        WritePort(packet.AsSpan(22), to.Port);
        WritePort(packet.AsSpan(24), packet.Length - 20);
        payload.CopyTo(packet.AsSpan(Headers));
        Assert.Equal(packet.Length, socket.SendTo(packet, to));
    }

    /// <summary>The same to every port of a range.</summary>
    public static void SendToPorts(IPEndPoint from, IPAddress to, int first, int last, ReadOnlySpan<byte> payload)
    {
        using var socket = Open();
        for (var port = first; port <= last; port++) Send(socket, from, new(to, port), payload);
    }

    private static void WritePort(Span<byte> bytes, int port) => System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(bytes, (ushort)port);
}
