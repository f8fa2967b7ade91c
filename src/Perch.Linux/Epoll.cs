using System.ComponentModel;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Perch.Linux;

/// <summary>
/// One epoll(7) instance and its array of events. struct epoll_event is packed on x64 (12 bytes) and on no other
/// architecture (16 bytes, the data at 8), so its fields are read by their offsets.
/// </summary>
public sealed unsafe class Epoll : IDisposable
{
    public const uint Readable = 0x001;
    public const uint Urgent = 0x002;
    public const uint Writable = 0x004;
    public const uint Error = 0x008;
    public const uint HangUp = 0x010;
    public const uint PeerHangUp = 0x2000;
    public const uint EdgeTriggered = 1u << 31;

    private const int Add = 1;
    private const int Delete = 2;
    private const int Modify = 3;
    private const int MaxEvents = 512;

    private static readonly (int EventSize, int DataOffset) Layout = LayoutOf(RuntimeInformation.ProcessArchitecture);

    private readonly int _descriptor;
    private readonly byte* _events;

    public Epoll()
    {
        _descriptor = Libc.EpollCreate(Libc.CloseOnExec);
        if (_descriptor < 0) throw new Win32Exception();
        _events = (byte*)NativeMemory.Alloc((nuint)(MaxEvents * EventSize));
    }

    private static int EventSize => Layout.EventSize;

    private static int DataOffset => Layout.DataOffset;

    /// <summary>Of <c>struct epoll_event</c>, which is packed on x64 alone.</summary>
    public static (int EventSize, int DataOffset) LayoutOf(Architecture architecture) => architecture == Architecture.X64 ? (12, 4) : (16, 8);

    /// <returns>How many events there are; 0 where the time passed or a signal came.</returns>
    public int Wait(int timeoutMilliseconds)
    {
        var count = Libc.EpollWait(_descriptor, _events, MaxEvents, timeoutMilliseconds);
        if (count >= 0) return count;
        return Marshal.GetLastPInvokeError() == Errno.Interrupted ? 0 : throw new Win32Exception();
    }

    public (uint Events, ulong Key) this[int index]
    {
        get
        {
            var at = _events + (index * EventSize);
            return (Unsafe.ReadUnaligned<uint>(at), Unsafe.ReadUnaligned<ulong>(at + DataOffset));
        }
    }

    /// <returns>0, or errno.</returns>
    public int TryAdd(int descriptor, uint events, ulong key) => Control(Add, descriptor, events, key);

    /// <summary>Watches for other events; one that is there already is news.</summary>
    /// <returns>0, or errno.</returns>
    public int TryModify(int descriptor, uint events, ulong key) => Control(Modify, descriptor, events, key);

    public void Remove(int descriptor)
    {
        var unused = stackalloc byte[16];
        // One that is closed has left by itself.
        _ = Libc.EpollControl(_descriptor, Delete, descriptor, unused);
    }

    private int Control(int operation, int descriptor, uint events, ulong key)
    {
        var interest = stackalloc byte[16];
        Unsafe.WriteUnaligned(interest, events);
        Unsafe.WriteUnaligned(interest + DataOffset, key);
        return Libc.EpollControl(_descriptor, operation, descriptor, interest) == 0 ? 0 : Marshal.GetLastPInvokeError();
    }

    public void Dispose()
    {
        _ = Libc.Close(_descriptor);
        NativeMemory.Free(_events);
    }
}
