using System.Net.Sockets;
using System.Runtime.InteropServices;
using static Perch.Datagrams.NativeDatagrams;
using static Perch.Datagrams.SocketAddressCodec;

namespace Perch.Datagrams;

/// <summary>Linux: datagrams to one peer that lie one behind the other in memory, with one sendmmsg, which waits for nothing and allocates nothing.</summary>
internal static unsafe class DatagramBurst
{
    private const int Most = 64;

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
        var isHeld = false;
        try
        {
            handle.DangerousAddRef(ref isHeld);
            var name = stackalloc byte[MostNameBytes];
            var control = stackalloc byte[MostControlBytes];
            var nameLength = WriteName(name, to.Peer, isIPv6);
            var controlLength = wantsLocal ? WriteLocal(control, to.LocalHigh, to.LocalLow, to.Interface, isIPv6) : 0;
            var count = payloads.IsEmpty ? 1 : (payloads.Length + each - 1) / each;
            var buffers = stackalloc NativeDatagrams.Buffer[Math.Min(Most, count)];
            var messages = stackalloc MessageHeader[Math.Min(Most, count)];
            fixed (byte* start = payloads)
            {
                var passed = 0;
                while (passed < count)
                {
                    var batch = Math.Min(Most, count - passed);
                    for (var i = 0; i < batch; i++)
                    {
                        var at = (passed + i) * each;
                        buffers[i] = new() { Start = start + at, Length = (nuint)Math.Min(each, payloads.Length - at) };
                        messages[i] = new() { Name = name, NameLength = nameLength, Buffers = buffers + i, BufferCount = 1, Control = control, ControlLength = controlLength };
                    }

                    var sent = SendMany(handle.DangerousGetHandle(), messages, (uint)batch, DontWait);
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
        }
        catch (ObjectDisposedException)
        {
            return 0;
        }
        finally
        {
            if (isHeld) handle.DangerousRelease();
        }
    }
}
