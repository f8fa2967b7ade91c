namespace Perch.Diagnostics;

/// <summary>How the limit of open files (RLIMIT_NOFILE) is divided. All numbers are descriptors.</summary>
/// <remarks>
/// The runtime ends the process if it cannot open the descriptors of a new thread, so peers never get the last ones. Without a
/// limit, or on a system that does not report it, nothing is limited.
/// </remarks>
public sealed class DescriptorPlan
{
    /// <summary>Always free: for new threads of the runtime and for files that it opens for a moment.</summary>
    public const int Floor = 32;

    /// <summary>The runtime's assemblies, stores and logs. Measured with every protocol: 246, of which 206 are assemblies.</summary>
    private const int Process = 256;

    /// <summary>The epoll instance and the eventfd of an event loop.</summary>
    private const int PerLoop = 2;

    /// <summary>The socket of an endpoint, and the descriptor that it keeps in reserve.</summary>
    private const int PerEndpoint = 2;

    private const long UnknownLimit = 10_000;
    private const int MaxAdmin = 256;
    private const int MaxTransfers = 256;
    private const int MaxConnections = 10_000_000;

    private readonly int? _wantedAdmin;

    /// <param name="limit">The limit; null if there is none or it is not known.</param>
    /// <param name="admin">The number of admin connections that the configuration asks for; null for a share of the limit.</param>
    /// <param name="loops">Number of event loops; 0 for one per processor.</param>
    /// <param name="endpoints">Number of protocol endpoints.</param>
    public DescriptorPlan(long? limit, int? admin = null, int loops = 0, int endpoints = 0)
    {
        (Limit, _wantedAdmin) = (limit, admin);
        var divided = limit ?? UnknownLimit;
        Runtime = Process + (PerLoop * (loops > 0 ? loops : Environment.ProcessorCount)) + (PerEndpoint * endpoints);
        Transfers = (int)Math.Clamp(divided / 16, 16, MaxTransfers);
        Admin = (int)Math.Clamp(divided / 8, 32, MaxAdmin);
        var rest = divided - Runtime - Floor - Transfers;
        if (admin is { } wanted && limit is not null)
            Admin = (int)Math.Min(wanted, Math.Max(Admin, rest / 2));
        Connections = (int)Math.Clamp(rest - Admin, 0, MaxConnections);
        if (limit is null)
            Admin = admin ?? Admin;
    }

    /// <summary>The plan of this process before its configuration is read.</summary>
    public static DescriptorPlan OfProcess { get; } = new(FileDescriptors.Limit());

    /// <summary>The limit; null if there is none or it is not known.</summary>
    public long? Limit { get; }

    /// <summary>Held by the runtime, the event loops and the endpoints before any peer connects.</summary>
    public int Runtime { get; }

    /// <summary>
    /// For connections to the admin endpoint: an eighth of the limit, 32 to 256, or the number in the configuration, but at most half of
    /// what is left for all connections.
    /// </summary>
    public int Admin { get; }

    /// <summary>For the files and sockets that transfers open: a sixteenth of the limit, 16 to 256, and what connections leave.</summary>
    public int Transfers { get; }

    /// <summary>For connections to protocol endpoints: the rest.</summary>
    public int Connections { get; }

    /// <summary>Whether the limit is too small to serve a connection.</summary>
    public bool IsTooSmall => Limit is not null && Connections == 0;

    /// <summary>Whether the limit allows fewer admin connections than the configuration asks for.</summary>
    public bool IsAdminReduced => _wantedAdmin > Admin;

    /// <summary>The plan for this limit and what a configuration needs.</summary>
    public DescriptorPlan For(int loops, int endpoints) => new(Limit, _wantedAdmin, loops, endpoints);

    /// <summary>A limit that allows this many connections, and the admin connections of the configuration.</summary>
    public long LimitFor(long connections)
    {
        var admin = Math.Max(MaxAdmin, _wantedAdmin ?? 0);
        return Runtime + Floor + MaxTransfers + admin + Math.Max(connections, _wantedAdmin ?? 0);
    }

    /// <summary>The division as a sum, for a log line.</summary>
    public override string ToString() => Limit is null
        ? "the limit of open files is not known"
        : $"limit of open files {Limit} = {Runtime} runtime + {Floor} always free + {Admin} admin connections + {Transfers} transfers + {Connections} connections";
}
