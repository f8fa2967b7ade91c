using System.Net;
using System.Net.Sockets;
using Perch.Cli.Bench;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Bench;

public sealed class SocketCallsTests : IDisposable
{
    private readonly Socket _client = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private readonly Socket _server;

    public SocketCallsTests()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        _client.Connect(listener.LocalEndPoint!);
        _client.Blocking = false;
        _server = listener.Accept();
    }

    public void Dispose()
    {
        _client.Dispose();
        _server.Dispose();
    }

    [Fact]
    public void Receive_OfNothingOfBytesAndOfTheEnd_TellsThemApart()
    {
        var buffer = new byte[10];
        SocketCalls.Receive(_client, buffer, out var error);
        Assert.Equal(SocketError.WouldBlock, error);

        _server.Send("abc"u8);
        AwaitReadable(_client);
        Assert.Equal(3, SocketCalls.Receive(_client, buffer, out error));
        Assert.Equal(SocketError.Success, error);
        Assert.Equal("abc"u8, buffer.AsSpan(0, 3));

        _server.Shutdown(SocketShutdown.Send);
        AwaitReadable(_client);
        Assert.Equal(0, SocketCalls.Receive(_client, buffer, out error));
        Assert.Equal(SocketError.Success, error);
    }

    [Fact]
    public void Send_UntilThereIsNoRoom_TakesEachByteOnce()
    {
        var sent = new byte[16 << 20];
        new Random(1).NextBytes(sent);
        (_client.SendBufferSize, _server.ReceiveBufferSize) = (100_000, 100_000);
        var (count, error) = (0, SocketError.Success);
        while (true)
        {
            var taken = SocketCalls.Send(_client, sent.AsSpan(count, 100_000), out error);
            if (error != SocketError.Success) break;
            count += taken;
        }

        Assert.Equal(SocketError.WouldBlock, error);
        _client.Shutdown(SocketShutdown.Send);
        using var received = new MemoryStream();
        using (var stream = new NetworkStream(_server)) stream.CopyTo(received);
        Assert.Equal(sent[..count], received.ToArray());
    }

    [Fact]
    public void Calls_AfterAReset_TellIt()
    {
        _server.LingerState = new(enable: true, seconds: 0);
        _server.Close();
        AwaitReadable(_client);
        SocketCalls.Receive(_client, new byte[1], out var error);
        Assert.Equal(SocketError.ConnectionReset, error);
        // A broken pipe: it is the same to a person, and no signal ends the process.
        SocketCalls.Send(_client, "x"u8, out error);
        Assert.Contains(error, (SocketError[])[SocketError.ConnectionReset, SocketError.Shutdown]);
    }

    [Fact]
    public void Datagram_ThatNobodyTakesOrThatIsTooLong_IsTold()
    {
        using var taken = TftpPeer.Bind();
        var address = taken.LocalEndPoint!;
        taken.Close();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp) { Blocking = false };
        socket.Connect(address);
        SocketCalls.Send(socket, new byte[70_000], out var error);
        Assert.Equal(SocketError.MessageSize, error);

        SocketCalls.Send(socket, "x"u8, out error);
        Assert.Equal(SocketError.Success, error);
        // The refusal comes as an error alone, which Poll does not call readable.
        Assert.True(SpinWait.SpinUntil(() => SocketCalls.Receive(socket, new byte[1], out error) >= 0 || error != SocketError.WouldBlock, CliRun.Deadline));
        Assert.Equal(SocketError.ConnectionRefused, error);
    }

    private static void AwaitReadable(Socket socket) => Assert.True(socket.Poll(CliRun.Deadline, SelectMode.SelectRead));
}
