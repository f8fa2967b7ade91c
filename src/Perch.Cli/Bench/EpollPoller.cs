using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Perch.Cli.Bench;

/// <summary>epoll(7): the cost of a wait does not grow with the sockets that are silent.</summary>
/// <param name="isEdgeTriggered">
/// A socket is told once for what came, and not looked at again with the next wait, which shows where messages are short: for who reads
/// all that is there.
/// </param>
internal sealed unsafe partial class EpollPoller(bool isEdgeTriggered) : IPoller
{
    private const int MostEvents = 512;
    private const int CloseOnExec = 0x80000;
    private const int ControlAdd = 1;
    private const int ControlDelete = 2;
    private const int ControlModify = 3;
    private const uint In = 0x001;
    private const uint Out = 0x004;
    private const uint Error = 0x008;
    private const uint HangUp = 0x010;
    private const uint ReadHangUp = 0x2000;
    private const uint EdgeTriggered = 1u << 31;

    /// <summary>The kernel's struct is packed on x86 and nowhere else.</summary>
    private static readonly int EventBytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private readonly int _epoll = Create(CloseOnExec);
    private readonly byte[] _raw = new byte[MostEvents * EventBytes];
    private readonly PollEvent[] _events = new PollEvent[MostEvents];

    public void Add(Socket socket, int id, bool wantsWrite) => Control(ControlAdd, socket, id, wantsWrite);

    public void Change(Socket socket, int id, bool wantsWrite) => Control(ControlModify, socket, id, wantsWrite);

    public void Remove(Socket socket, int id) => Control(ControlDelete, socket, id, wantsWrite: false);

    public ReadOnlySpan<PollEvent> Wait(int milliseconds)
    {
        int count;
        fixed (byte* raw = _raw) count = Wait(_epoll, raw, MostEvents, milliseconds);
        for (var i = 0; i < count; i++)
        {
            var raw = _raw.AsSpan(i * EventBytes, EventBytes);
            var flags = MemoryMarshal.Read<uint>(raw);
            _events[i] = new(MemoryMarshal.Read<int>(raw[(EventBytes - sizeof(long))..]), (flags & (In | Error | HangUp | ReadHangUp)) != 0, (flags & (Out | Error | HangUp)) != 0, (flags & (Error | HangUp | ReadHangUp)) != 0);
        }

        return _events.AsSpan(0, Math.Max(0, count));
    }

    public void Dispose() => _ = Close(_epoll);

    private void Control(int operation, Socket socket, int id, bool wantsWrite)
    {
        var raw = stackalloc byte[EventBytes];
        *(uint*)raw = In | ReadHangUp | (wantsWrite ? Out : 0) | (isEdgeTriggered ? EdgeTriggered : 0);
        *(long*)(raw + EventBytes - sizeof(long)) = id;
        if (Control(_epoll, operation, (int)socket.Handle, raw) != 0) throw new Win32Exception(Marshal.GetLastPInvokeError());
    }

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int Create(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int Control(int epoll, int operation, int socket, byte* change);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int Wait(int epoll, byte* events, int most, int milliseconds);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int epoll);
}
