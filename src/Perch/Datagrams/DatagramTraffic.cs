namespace Perch.Datagrams;

/// <summary>What one UDP endpoint has carried since the process started. Any thread may add and read.</summary>
internal sealed class DatagramTraffic
{
    public static readonly string[] ReasonNames = [.. Enum.GetNames<DropReason>().Select(LabelOf)];

    private readonly long[] _dropped = new long[ReasonNames.Length];
    private long _received;
    private long _receivedBytes;
    private long _sent;
    private long _sentBytes;
    private long _messages;
    private readonly Lock _lock = new();
    private readonly List<(DatagramServer Server, long Before)> _servers = [];
    private long _endedKernelDrops;

    public long Received => Volatile.Read(ref _received);

    public long ReceivedBytes => Volatile.Read(ref _receivedBytes);

    public long Sent => Volatile.Read(ref _sent);

    public long SentBytes => Volatile.Read(ref _sentBytes);

    /// <summary>Datagrams that the handler has taken.</summary>
    public long Messages => Volatile.Read(ref _messages);

    /// <summary>From now on it is asked for what the system has dropped.</summary>
    public void Attach(DatagramServer server)
    {
        lock (_lock) _servers.Add((server, server.KernelDrops));
    }

    /// <summary>Its socket is closed, or another protocol's; its count until now stays.</summary>
    public void Detach(DatagramServer server)
    {
        lock (_lock)
        {
            var attached = _servers.FindIndex(s => s.Server == server);
            _endedKernelDrops += server.KernelDrops - _servers[attached].Before;
            _servers.RemoveAt(attached);
        }
    }

    /// <summary>Bytes of memory of the datagrams whose handlers are not done.</summary>
    public long BytesHeld()
    {
        lock (_lock)
            return _servers.Sum(s => s.Server.BytesHeld);
    }

    public long Dropped(DropReason reason)
    {
        if (reason != DropReason.Kernel) return Volatile.Read(ref _dropped[(int)reason]);
        lock (_lock) return _endedKernelDrops + _servers.Sum(s => s.Server.KernelDrops - s.Before);
    }

    public void AddReceived(int datagrams, long bytes)
    {
        Interlocked.Add(ref _received, datagrams);
        Interlocked.Add(ref _receivedBytes, bytes);
    }

    public void AddSent(int datagrams, long bytes)
    {
        Interlocked.Add(ref _sent, datagrams);
        Interlocked.Add(ref _sentBytes, bytes);
    }

    public void AddMessages(int count) => Interlocked.Add(ref _messages, count);

    public void Drop(DropReason reason, long count = 1) => Interlocked.Add(ref _dropped[(int)reason], count);

    /// <returns><c>SourcePort</c> as <c>source-port</c>.</returns>
    private static string LabelOf(string name) => string.Concat(name.Select((c, i) => i > 0 && char.IsUpper(c) ? $"-{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));
}
