using System.Net.Sockets;
using System.Runtime.InteropServices;
using Perch.Linux;
using static Perch.Datagrams.SocketAddressCodec;
using static Perch.Linux.NativeDatagrams;

namespace Perch.Datagrams;

/// <summary>
/// Linux: datagrams to one peer that lie one behind the other in memory, in as few system calls as can be; waits for nothing and
/// allocates nothing. The system cuts them itself where it can (UDP_SEGMENT, udp(7)), so that they go down its layers as one;
/// else each is a message of one sendmmsg.
/// </summary>
internal static unsafe class DatagramBurst
{
    private const int Most = 64;

    /// <summary>What the system takes at once: a datagram of IPv4.</summary>
    private const int MostBytes = ReplyBuffer.MostBytes;

    private const int UdpLevel = 17;
    private const int UdpSegment = 103;
    private const int SegmentControlBytes = 24;
    private const int SegmentControlLength = 18;
    private const int InputOutput = 5;

    private static volatile bool _canSegment = CanSegment();

    /// <param name="socket">Perhaps closed already; then nothing is sent.</param>
    /// <param name="to">The peer, and the address to send from.</param>
    /// <param name="wantsLocal">Whether the socket has more than one address, so that the one to send from has to be said.</param>
    /// <param name="payloads">All of them.</param>
    /// <param name="each">Bytes of each but the last.</param>
    /// <param name="refused">How many of those that are passed the system could not send: no route, a firewall, too long.</param>
    /// <returns>How many are passed; the rest did not fit the send buffer.</returns>
    public static int Send(Socket socket, in ReturnAddress to, bool wantsLocal, ReadOnlySpan<byte> payloads, int each, out int refused)
    {
        refused = 0;
        var isIPv6 = socket.AddressFamily == AddressFamily.InterNetworkV6;
        var handle = socket.SafeHandle;
        try
        {
            var name = stackalloc byte[MostNameBytes];
            var control = stackalloc byte[MostControlBytes + SegmentControlBytes];
            var template = new MessageHeader { Name = name, NameLength = WriteName(name, to.Peer, isIPv6), BufferCount = 1, Control = control };
            template.ControlLength = wantsLocal ? WriteLocal(control, to.LocalHigh, to.LocalLow, to.Interface, isIPv6) : 0;
            fixed (byte* start = payloads)
            {
                return payloads.Length <= each
                    ? SendEach(handle, template, start, payloads.Length, Math.Max(1, each), ref refused)
                    : SendAll(handle, template, start, payloads.Length, each, ref refused);
            }
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
    }

    /// <summary>As many at once as the system cuts; the first that it does not take so go one by one, and all behind them.</summary>
    private static int SendAll(SafeSocketHandle socket, MessageHeader template, byte* start, int length, int each, ref int refused)
    {
        var passed = 0;
        var atOnce = Math.Min(Most, MostBytes / each);
        var message = template;
        if (_canSegment && atOnce > 1)
        {
            WriteSegment(&message, each);
            while (length - (passed * each) > each)
            {
                var bytes = Math.Min(atOnce * each, length - (passed * each));
                var buffer = new NativeDatagrams.Buffer { Start = start + (passed * each), Length = (nuint)bytes };
                message.Buffers = &buffer;
                if (SendMany(socket, &message, 1, DontWait) == 1)
                {
                    passed += (bytes + each - 1) / each;
                    continue;
                }

                var error = Marshal.GetLastPInvokeError();
                if (error == Interrupted) continue;
                if (error == TryAgain) return passed;
                // A way out whose hardware cannot add the checksums; it will not for the next ones either.
                if (error == InputOutput) _canSegment = false;
                break;
            }
        }

        return passed * each >= length ? passed : passed + SendEach(socket, template, start + (passed * each), length - (passed * each), each, ref refused);
    }

    private static int SendEach(SafeSocketHandle socket, MessageHeader template, byte* start, int length, int each, ref int refused)
    {
        var count = length == 0 ? 1 : (length + each - 1) / each;
        var buffers = stackalloc NativeDatagrams.Buffer[Math.Min(Most, count)];
        var messages = stackalloc MessageHeader[Math.Min(Most, count)];
        var passed = 0;
        while (passed < count)
        {
            var batch = Math.Min(Most, count - passed);
            for (var i = 0; i < batch; i++)
            {
                var at = (passed + i) * each;
                buffers[i] = new() { Start = start + at, Length = (nuint)Math.Min(each, length - at) };
                messages[i] = template;
                messages[i].Buffers = buffers + i;
            }

            var sent = SendMany(socket, messages, (uint)batch, DontWait);
            if (sent > 0)
            {
                passed += sent;
                continue;
            }

            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            if (error == TryAgain) break;
            (passed, refused) = (passed + 1, refused + 1);
        }

        return passed;
    }

    /// <summary>Adds the control message with the length of each segment.</summary>
    private static void WriteSegment(MessageHeader* message, int each)
    {
        var header = (ControlHeader*)(message->Control + message->ControlLength);
        (header->Length, header->Level, header->Type) = (SegmentControlLength, UdpLevel, UdpSegment);
        *(ulong*)(header + 1) = (ushort)each;
        message->ControlLength += SegmentControlBytes;
    }

    /// <summary>Systems before Linux 4.18 would pass over the control message, and send one long datagram.</summary>
    private static bool CanSegment()
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            Span<byte> value = stackalloc byte[sizeof(int)];
            return socket.GetRawSocketOption(UdpLevel, UdpSegment, value) == sizeof(int);
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
