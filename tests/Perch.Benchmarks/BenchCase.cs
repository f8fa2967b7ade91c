namespace Perch.Benchmarks;

/// <summary>A load: what each connection does.</summary>
/// <param name="Connections">Connections at once.</param>
/// <param name="Bytes">The size of a message.</param>
/// <param name="Depth">Messages that a connection has under way.</param>
/// <param name="Echo">Whether the server sends each message back; else it throws it away.</param>
/// <param name="Udp">Whether the messages are datagrams; the servers are those with <c>udp</c> in their names.</param>
internal sealed record BenchCase(int Connections, int Bytes, int Depth, bool Echo, bool Udp = false)
{
    public static readonly IReadOnlyDictionary<string, BenchCase> All = new Dictionary<string, BenchCase>
    {
        ["echo"] = new(50, 64, 1, Echo: true),
        ["pipelined"] = new(50, 64, 16, Echo: true),
        ["large"] = new(50, 16 * 1024, 4, Echo: true),
        ["udp"] = new(50, 64, 1, Echo: true, Udp: true),
        ["receive"] = new(8, 64 * 1024, 1, Echo: false),
    };
}
