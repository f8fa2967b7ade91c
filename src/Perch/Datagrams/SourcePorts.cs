namespace Perch.Datagrams;

/// <summary>
/// Source ports that get no answer: those of services that answer whatever they get, and those of this process's own UDP
/// endpoints, since an answer to them would be answered (CVE-2024-2169). One for all endpoints.
/// </summary>
internal sealed class SourcePorts
{
    /// <summary>echo, daytime, qotd, chargen, domain, tftp, ntp, ssdp, memcached.</summary>
    public static readonly IReadOnlyList<ushort> Reflectors = [7, 13, 17, 19, 53, 69, 123, 1900, 11211];

    private readonly Lock _lock = new();
    /// <summary>By port: how many endpoints have it, and one more for a reflector's.</summary>
    private readonly int[] _refused = new int[65536];

    public SourcePorts()
    {
        // Nobody can be answered at port 0.
        _refused[0] = 1;
        foreach (var port in Reflectors) _refused[port] = 1;
    }

    public bool IsRefused(ushort port) => Volatile.Read(ref _refused[port]) != 0;

    /// <summary>An endpoint has bound the port; called once for each that does.</summary>
    public void Add(int port)
    {
        lock (_lock) _refused[port]++;
    }

    public void Remove(int port)
    {
        lock (_lock) _refused[port]--;
    }
}
