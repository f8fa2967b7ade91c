namespace Perch.Benchmarks;

/// <summary>A load.</summary>
/// <param name="Title">What it is, for people.</param>
/// <param name="Connections">Connections at once.</param>
/// <param name="Bytes">The size of a message.</param>
/// <param name="Depth">Messages that a connection has under way.</param>
internal sealed record BenchCase(string Title, int Connections, int Bytes = 64, int Depth = 1)
{
    /// <summary>The mode of the load generator.</summary>
    public string Mode { get; init; } = "echo";

    /// <summary>Messages a second over all connections, whatever the server does; 0 keeps <see cref="Depth"/> of each under way.</summary>
    public int Rate { get; init; }

    /// <summary>Connections besides, each of which sends and receives all it can.</summary>
    public int Firehoses { get; init; }

    /// <summary>Whether the server is held to processor 0 and the load to processor 1.</summary>
    public bool Pinned { get; init; } = true;

    /// <summary>Load generators, which share the connections.</summary>
    public int Generators { get; init; } = 1;

    public static readonly IReadOnlyDictionary<string, BenchCase> All = new Dictionary<string, BenchCase>
    {
        ["echo"] = new("50 connections, 64 bytes, ping-pong", 50),
        ["many"] = new("1,000 connections, 64 bytes, ping-pong", 1000),
        ["ten-thousand"] = new("10,000 connections, 64 bytes, ping-pong", 10_000),
        ["pipelined"] = new("50 connections, 64 bytes, 16 deep", 50, Depth: 16),
        ["large"] = new("50 connections, 16 KiB, 4 deep", 50, 16 * 1024, 4),
        ["connect"] = new("connect, one message and its reply, close; 50 at once, a message is a connection", 50) { Mode = "connect" },
        ["open"] = new("50 connections, 64 bytes, 20,000 messages/s whatever the server does", 50) { Rate = 20_000 },
        ["firehose"] = new("50 connections, 64 bytes, ping-pong, beside 4 firehoses", 50) { Firehoses = 4 },
        ["two-cores"] = new("50 connections, 64 bytes, ping-pong; servers and two load generators on all processors", 50) { Pinned = false, Generators = 2 },
        ["udp"] = new("50 UDP sockets, 64 bytes, ping-pong", 50) { Mode = "udp" },
        ["receive"] = new("8 senders of 64 KiB that are thrown away", 8, 64 * 1024) { Mode = "send" },
    };

    /// <summary>Those that compare TCP servers that echo.</summary>
    public static readonly IReadOnlyList<string> Transport = [.. All.Keys.Except(["udp", "receive"])];
}
