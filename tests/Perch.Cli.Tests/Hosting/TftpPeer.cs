using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.Wire.Tftp;

namespace Perch.Cli.Tests.Hosting;

/// <summary>A TFTP server that does to one client what a test says: requests come to one port, the transfer is at another.</summary>
internal sealed class TftpPeer : IAsyncDisposable
{
    private readonly Socket _requests = Bind();
    private readonly Socket _transfer = Bind();
    private readonly CancellationTokenSource _ending = new();
    private readonly byte[] _buffer = new byte[70_000];
    private readonly Task _serving;

    public TftpPeer(Func<TftpPeer, Task> serve) => _serving = Task.Run(() => serve(this));

    /// <summary>Where the client is; from its first packet on.</summary>
    public EndPoint Client { get; private set; } = new IPEndPoint(IPAddress.Any, 0);

    public string Address => $"127.0.0.1:{((IPEndPoint)_requests.LocalEndPoint!).Port}";

    public string Url(string name) => $"tftp://{Address}/{name}";

    public static Socket Bind()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    public static byte[] Data(int block, params byte[] data)
    {
        var packet = new byte[TftpPacket.HeaderBytes + data.Length];
        TftpPacket.WriteDataHeader(packet, (ushort)block);
        data.CopyTo(packet, TftpPacket.HeaderBytes);
        return packet;
    }

    public static byte[] Acknowledgment(int block)
    {
        var packet = new byte[TftpPacket.HeaderBytes];
        TftpPacket.WriteAcknowledgment(packet, (ushort)block);
        return packet;
    }

    public static byte[] Error(int code, string text) => [0, (byte)TftpOpcode.Error, 0, (byte)code, .. Encoding.UTF8.GetBytes(text), 0];

    public static byte[] Options(TftpOptionSet options)
    {
        var packet = new byte[TftpPacket.MaxOptionAcknowledgmentBytes];
        return packet[..TftpPacket.WriteOptionAcknowledgment(packet, options)];
    }

    public async Task<TftpRequest> HearRequestAsync()
    {
        var packet = await HearAsync(_requests);
        Assert.True(TftpRequest.TryParse(packet, out var request, out _));
        return request;
    }

    public Task<byte[]> HearAsync() => HearAsync(_transfer);

    public async Task HearAsync(byte[] expected) => Assert.Equal(expected, await HearAsync());

    public async Task SayAsync(params byte[][] packets)
    {
        foreach (var packet in packets) await _transfer.SendToAsync(packet, Client);
    }

    /// <summary>Ends when the script has; what it did not like is thrown here.</summary>
    public async Task EndAsync() => await _serving.WaitAsync(CliRun.Deadline);

    /// <summary>Packets that nobody has asked for: on loopback they are there when the client is done.</summary>
    public int Unread => _transfer.Available;

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        try
        {
            await _serving;
        }
        catch (OperationCanceledException)
        {
            // It waited for more than came.
        }
        finally
        {
            _requests.Dispose();
            _transfer.Dispose();
            _ending.Dispose();
        }
    }

    private async Task<byte[]> HearAsync(Socket socket)
    {
        var received = await socket.ReceiveFromAsync(_buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), _ending.Token);
        Client = received.RemoteEndPoint;
        return _buffer[..received.ReceivedBytes];
    }
}
