using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Perch.Linux;
using static Perch.Datagrams.SocketAddressCodec;
using static Perch.Linux.NativeDatagrams;

namespace Perch.Datagrams;

/// <summary>
/// Linux: one recvmmsg takes what has arrived, one sendmmsg sends all the replies to it. The receive waits in the system,
/// with nothing polled; a shutdown of the receiving side ends the wait.
/// </summary>
internal sealed unsafe class BatchedChannel : DatagramChannel
{
    private readonly bool _isIPv6;
    private readonly bool _wantsLocal;
    private readonly SafeSocketHandle _socket;
    private readonly byte* _memory;
    private readonly Header* _received;
    private readonly Header* _replies;
    private int _used = BatchSize;
    private volatile bool _stopping;

    public BatchedChannel(Socket socket)
        : base(socket)
    {
        _isIPv6 = socket.AddressFamily == AddressFamily.InterNetworkV6;
        _wantsLocal = DatagramSocket.IsWildcard(LocalEndPoint.Address);
        _socket = socket.SafeHandle;
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)(2 * BatchSize * sizeof(Header)), 64);
        NativeMemory.Clear(_memory, (nuint)(2 * BatchSize * sizeof(Header)));
        _received = (Header*)_memory;
        _replies = _received + BatchSize;
        // The array that the system gets is of struct mmsghdr alone, one after the other; what they point to comes behind.
        for (var i = 0; i < BatchSize; i++)
        {
            Prepare(_received, i);
            Prepare(_replies, i);
        }
    }

    /// <summary>The layouts are those of 64 bits, low byte first: x64 and arm64.</summary>
    public static bool IsSupported { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess && BitConverter.IsLittleEndian;

    public override int Receive(DatagramContext[] ring)
    {
        // Only what the last call has written to is set anew.
        for (var i = 0; i < _used; i++)
        {
            var message = MessageAt(_received, i);
            message->Buffers->Start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(ring[i].Bytes));
            message->Buffers->Length = DatagramContext.BufferBytes;
            message->NameLength = MostNameBytes;
            message->ControlLength = _wantsLocal ? (nuint)MostControlBytes : 0;
            message->Flags = 0;
        }

        _used = 0;
        var count = ReceiveMany(_socket, MessageAt(_received, 0), BatchSize, _stopping ? DontWait : WaitForOne, null);
        if (count < 0)
        {
            var error = Marshal.GetLastPInvokeError();
            return error is Interrupted or TryAgain ? 0 : throw new SocketException(error);
        }

        _used = count;
        for (var i = 0; i < count; i++)
        {
            var message = MessageAt(_received, i);
            // The shutdown looks like a datagram from nobody.
            if (!TryReadName(message->Name, message->NameLength, out var peer)) return i;
            var context = ring[i];
            context.Received(peer, (int)message->Length, (message->Flags & Truncated) != 0);
            if (_wantsLocal) ReadLocal(message->Control, message->ControlLength, context);
        }

        return count;
    }

    public override int Send(ReadOnlySpan<DatagramContext> replies, out long bytes)
    {
        bytes = 0;
        for (var i = 0; i < replies.Length; i++)
        {
            var message = MessageAt(_replies, i);
            var context = replies[i];
            message->NameLength = WriteName(message->Name, context.Peer, _isIPv6);
            message->Buffers->Start = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(context.ReplyBuffer.Bytes));
            message->Buffers->Length = (nuint)context.ReplyBuffer.Length;
            message->ControlLength = _wantsLocal ? WriteLocal(message->Control, context.LocalHigh, context.LocalLow, context.Interface, _isIPv6) : 0;
        }

        var taken = 0;
        for (var next = 0; next < replies.Length;)
        {
            var sent = SendMany(_socket, MessageAt(_replies, next), (uint)(replies.Length - next), DontWait);
            if (sent > 0)
            {
                foreach (var reply in replies.Slice(next, sent)) bytes += reply.ReplyBuffer.Length;
                taken += sent;
                next += sent;
                continue;
            }

            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            // The send buffer is full, and will be for the next one too.
            if (error == TryAgain) return taken;
            // This one cannot be sent: no route, a firewall, too long. The others may be.
            next++;
        }

        return taken;
    }

    public override bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload) => Send(to, payload, payload.Length, out var refused) == 1 && refused == 0;

    /// <inheritdoc cref="DatagramBurst.Send"/>
    public int Send(in ReturnAddress to, ReadOnlySpan<byte> payloads, int each, out int refused) => DatagramBurst.Send(Socket, to, _wantsLocal, payloads, each, out refused);

    public override void StopReceiving()
    {
        _stopping = true;
        // It says that there is no connection to shut down, and wakes who waits all the same (inet_shutdown in Linux).
        try
        {
            _ = Shutdown(_socket, (int)SocketShutdown.Receive);
        }
        catch (ObjectDisposedException)
        {
            // The last session at the endpoint's port may end after the socket was closed.
        }
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        NativeMemory.AlignedFree(_memory);
    }

    private static void Prepare(Header* headers, int index)
    {
        var message = MessageAt(headers, index);
        var parts = PartsAt(headers, index);
        message->Name = parts->Name;
        message->Buffers = &parts->Buffer;
        message->BufferCount = 1;
        message->Control = parts->Control;
    }

    private static MessageHeader* MessageAt(Header* headers, int index) => (MessageHeader*)headers + index;

    private static Parts* PartsAt(Header* headers, int index) => (Parts*)((MessageHeader*)headers + BatchSize) + index;

    /// <summary>What one datagram takes of the memory.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public MessageHeader Message;
        public Parts Parts;
    }

    /// <summary>What a message header points to.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Parts
    {
        public NativeDatagrams.Buffer Buffer;
        public fixed byte Name[MostNameBytes];
        public fixed byte Control[MostControlBytes];
    }
}
