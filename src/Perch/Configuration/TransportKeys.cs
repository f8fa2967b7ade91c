using Microsoft.Extensions.Configuration;
using Perch.Datagrams;
using Perch.Endpoints;
using Perch.Transport;

namespace Perch.Configuration;

/// <summary>The keys that only one transport has: one of the other is a fault, since it would do nothing.</summary>
internal static class TransportKeys
{
    /// <returns>The address with what its transport adds.</returns>
    public static ListenAddress Read(
        IConfigurationSection section, EndpointSettings settings, PerchSettings perch, ListenAddress listen, List<ConfigFault> faults)
    {
        var isUdp = settings.Transport == EndpointTransport.Udp;
        if (isUdp && settings.Backlog is not null)
            faults.Add(new($"{section.Path}:{nameof(settings.Backlog)}", "is for TCP", $"Remove it; what UDP holds is {nameof(settings.ReceiveBufferBytes)}"));
        if (isUdp && settings.Scheduling is not null)
            faults.Add(new($"{section.Path}:{nameof(settings.Scheduling)}", "is for TCP and Unix sockets", "Remove it: the handlers of UDP run on their endpoint's own thread"));
        if (!isUdp && settings.ReceiveBufferBytes is not null)
            faults.Add(new($"{section.Path}:{nameof(settings.ReceiveBufferBytes)}", "is for UDP", "Remove it, or write \"Transport\": \"Udp\""));
        if (!isUdp && settings.MulticastGroups.Length > 0)
            faults.Add(new($"{section.Path}:{nameof(settings.MulticastGroups)}", "is for UDP", "Remove it, or write \"Transport\": \"Udp\""));
        if (settings.ReusePort && (isUdp || listen.UnixSocket is not null || !OperatingSystem.IsLinux()))
            faults.Add(ReusePortFault(section, isUdp, listen.UnixSocket is not null));
        var mode = SocketMode.Read(section, settings, listen.UnixSocket is not null, faults);
        return isUdp
            ? listen with { Transport = EndpointTransport.Udp, ReceiveBufferBytes = settings.ReceiveBufferBytes, MulticastGroups = ReadGroups(section, settings, listen, faults) }
            : listen with { SocketEngine = perch.SocketEngine, Scheduling = SchedulingOf(settings, perch), ReusePort = settings.ReusePort, Mode = mode };
    }

    /// <remarks>Kestrel's own transport is always on the thread pool: the key changes nothing there, and binds nothing anew.</remarks>
    private static ContinuationScheduling SchedulingOf(EndpointSettings settings, PerchSettings perch) =>
        perch.SocketEngine == SocketEngine.Direct ? settings.Scheduling ?? ContinuationScheduling.Inline : ContinuationScheduling.Inline;

    private static ConfigFault ReusePortFault(IConfigurationSection section, bool isUdp, bool isUnix)
    {
        var key = $"{section.Path}:{nameof(EndpointSettings.ReusePort)}";
        if (isUdp)
            return new(key, "is for TCP", "Remove it: a UDP port, and with it every transfer of tftp, belongs to one process");
        return isUnix
            ? new(key, "is for TCP ports", "Remove it, or write Port in place of UnixSocket: a Unix socket belongs to one process")
            : new(key, "needs Linux", "Remove it: on this system a port belongs to one process");
    }

    private static MulticastGroups ReadGroups(IConfigurationSection section, EndpointSettings settings, ListenAddress listen, List<ConfigFault> faults)
    {
        var groups = new List<MulticastGroup>();
        var key = $"{section.Path}:{nameof(settings.MulticastGroups)}";
        foreach (var text in settings.MulticastGroups)
        {
            if (MulticastGroup.Parse(text) is not { } group) faults.Add(new(key, $"'{text}' is not a multicast group", "Write for example 239.1.2.3, or ff15::1@eth0"));
            else if (!DatagramSocket.IsWildcard(listen.Address!) || group.Address.AddressFamily != listen.Address!.AddressFamily)
                faults.Add(new(key, $"'{text}' does not reach {listen.Address}", "Write \"Address\": \"0.0.0.0\" for IPv4 groups, \"::\" for IPv6 ones"));
            else groups.Add(group);
        }

        return new(groups);
    }
}
