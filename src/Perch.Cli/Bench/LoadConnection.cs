using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>One connection of a load; everything is counted in bytes of this side's messages unless it says otherwise.</summary>
internal sealed class LoadConnection(int id)
{
    public int Id { get; } = id;

    /// <summary>Null where it is gone.</summary>
    public Socket? Socket { get; set; }

    public bool IsUp { get; set; }

    public bool WantsWrite { get; set; }

    /// <summary>When its connect began, in ticks of the clock.</summary>
    public long StartedAt { get; set; }

    /// <summary>Where its part of the pattern begins.</summary>
    public long Offset { get; set; }

    /// <summary>Bytes that are to be sent.</summary>
    public long Queued { get; set; }

    public long Sent { get; set; }

    /// <summary>Bytes of the peer.</summary>
    public long Received { get; set; }

    /// <summary>How much of <see cref="BenchOptions.Prefix"/> stood at the end of what came last.</summary>
    public int PrefixBytes { get; set; }

    /// <summary>Messages that were answered.</summary>
    public long Done { get; set; }

    /// <summary>Messages that are to be sent, those that were too.</summary>
    public long Pushed { get; set; }

    /// <summary>When each message on its way was, or should have been, sent; a ring of a power of two.</summary>
    public long[] Times { get; set; } = [];

    /// <summary>Lines: the next byte begins an answer.</summary>
    public bool IsAtLineStart { get; set; } = true;

    /// <summary>Ready to be a new one.</summary>
    public void Reset()
    {
        (Socket, IsUp, WantsWrite, IsAtLineStart) = (null, false, false, true);
        (Queued, Sent, Received, Done, Pushed, PrefixBytes) = (0, 0, 0, 0, 0, 0);
    }
}
