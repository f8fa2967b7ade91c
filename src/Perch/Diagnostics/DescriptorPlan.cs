namespace Perch.Diagnostics;

/// <summary>How the limit of open files (RLIMIT_NOFILE) is divided. All numbers are descriptors.</summary>
/// <remarks>
/// The runtime ends the process if it cannot open the descriptors of a new thread, so peers never get the last ones. Without a
/// limit, or on a system that does not report it, nothing is limited.
/// </remarks>
public sealed class DescriptorPlan
{
    /// <summary>Held by the runtime before any peer connects: its assemblies, event loops, stores and logs. Measured: about 230.</summary>
    public const int Runtime = 256;

    /// <summary>Always free: for new threads of the runtime and for files that it opens for a moment.</summary>
    public const int Floor = 32;

    /// <summary>The fewest connections to protocol endpoints that make sense.</summary>
    public const int LeastConnections = 16;

    private const long UnknownLimit = 10_000;
    private const int MostAdmin = 256;
    private const int MostTransfers = 256;

    /// <param name="limit">The limit; null if there is none or it is not known.</param>
    public DescriptorPlan(long? limit)
    {
        Limit = limit;
        var divided = limit ?? UnknownLimit;
        Admin = (int)Math.Clamp(divided / 8, 32, MostAdmin);
        Transfers = (int)Math.Clamp(divided / 16, 16, MostTransfers);
        Connections = (int)Math.Clamp(divided - Runtime - Floor - Admin - Transfers, 0, 10_000_000);
    }

    /// <summary>The plan of this process.</summary>
    public static DescriptorPlan OfProcess { get; } = new(FileDescriptors.Limit());

    /// <summary>The limit; null if there is none or it is not known.</summary>
    public long? Limit { get; }

    /// <summary>For connections to the admin endpoint: an eighth of the limit, 32 to 256.</summary>
    public int Admin { get; }

    /// <summary>For the files and sockets that transfers open: a sixteenth of the limit, 16 to 256, and what connections leave.</summary>
    public int Transfers { get; }

    /// <summary>For connections to protocol endpoints: the rest.</summary>
    public int Connections { get; }

    /// <summary>Whether the limit is too small to serve anything.</summary>
    public bool IsTooSmall => Limit is not null && Connections < LeastConnections;

    /// <summary>A limit that allows this many connections.</summary>
    public static long LimitFor(long connections) => Runtime + Floor + MostAdmin + MostTransfers + connections;

    /// <summary>The division as a sum, for a log line.</summary>
    public override string ToString() => Limit is null
        ? "the limit of open files is not known"
        : $"limit of open files {Limit} = {Runtime} runtime + {Floor} always free + {Admin} admin connections + {Transfers} transfers + {Connections} connections";
}
