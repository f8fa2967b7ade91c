using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>What every system has: looks at all sockets each time, so it is for few of them.</summary>
internal sealed class SelectPoller : IPoller
{
    private readonly Dictionary<Socket, (int Id, bool WantsWrite)> _sockets = [];
    private PollEvent[] _events = [];

    public void Add(Socket socket, int id, bool wantsWrite) => _sockets[socket] = (id, wantsWrite);

    public void Change(Socket socket, int id, bool wantsWrite) => _sockets[socket] = (id, wantsWrite);

    public void Remove(Socket socket, int id) => _sockets.Remove(socket);

    public ReadOnlySpan<PollEvent> Wait(int milliseconds)
    {
        if (_sockets.Count == 0) return [];
        var read = _sockets.Keys.ToList();
        var write = _sockets.Where(socket => socket.Value.WantsWrite).Select(socket => socket.Key).ToList();
        var failed = _sockets.Keys.ToList();
        Socket.Select(read, write, failed, TimeSpan.FromMilliseconds(milliseconds));
        var canRead = read.Concat(failed).ToHashSet();
        var canWrite = write.Concat(failed).ToHashSet();
        _events = [.. canRead.Union(canWrite).Select(socket => new PollEvent(_sockets[socket].Id, canRead.Contains(socket), canWrite.Contains(socket), IsEnding: false))];
        return _events;
    }

    public void Dispose()
    {
    }
}
