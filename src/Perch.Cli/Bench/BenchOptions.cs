namespace Perch.Cli.Bench;

/// <summary>One load.</summary>
internal sealed record BenchOptions
{
    public BenchMode Mode { get; init; }

    /// <summary>At least 1.</summary>
    public int Connections { get; init; } = 50;

    /// <summary>Bytes of a message, at least 1; of a line with its end.</summary>
    public int Size { get; init; } = 64;

    /// <summary>Messages on their way at once on each connection.</summary>
    public int Depth { get; init; } = 1;

    /// <summary>Messages a second in all, sent whether answers come or not; 0: each answer lets the next message go.</summary>
    public double Rate { get; init; }

    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Load before the measurement, so that both sides are warm.</summary>
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>What the server puts before each message that it sends back.</summary>
    public byte[] Prefix { get; init; } = [];

    /// <summary><see cref="BenchMode.Hold"/>: the part of the connections that echo a message each second.</summary>
    public double Ping { get; init; } = 0.01;

    /// <summary><see cref="BenchMode.Stream"/>: read what comes back, and compare it.</summary>
    public bool IsBothWays { get; init; }

    /// <summary>UDP: after this a datagram is lost.</summary>
    public TimeSpan Loss { get; init; } = TimeSpan.FromMilliseconds(200);

    /// <summary>Connections may take so long in all.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The server's process, whose processor time is read; null: none.</summary>
    public int? ServerProcess { get; init; }
}
