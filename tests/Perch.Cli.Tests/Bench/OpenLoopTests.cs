using System.Text.Json.Nodes;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Bench;

public sealed class OpenLoopTests
{
    /// <summary>A server that stops for a moment now and then. A closed loop hardly sees it: while it waits it asks for nothing.</summary>
    [Fact]
    public async Task Stall_OfAServer_ShowsInTheOpenLoopsTail()
    {
        const int StallMilliseconds = 250;
        await using var peer = new Peer(static async (stream, token) =>
        {
            var buffer = new byte[64 * 1024];
            var next = Environment.TickCount64 + 400;
            while (await stream.ReadAsync(buffer, token) is var read and > 0)
            {
                if (Environment.TickCount64 > next)
                {
                    // Stalling is what this server is for.
                    await Task.Delay(StallMilliseconds, token);
                    next = Environment.TickCount64 + 800;
                }

                await stream.WriteAsync(buffer.AsMemory(0, read), token);
            }
        });
        string[] arguments = ["bench", peer.Address, "-c", "1", "--duration", "1500ms", "--warm-up", "100ms", "--json"];
        var open = await CliRun.RunAsync([.. arguments, "--rate", "2000"]);
        var closed = await CliRun.RunAsync(arguments);

        Assert.True(open.ExitCode == 0, open.Error);
        // At 2,000 a second 500 messages fall into a stall: far more than one in a thousand has to wait for most of it.
        Assert.True(Latency(open, "p99.9") > (StallMilliseconds - 50) * 1000, open.Output);
        Assert.True(Latency(open, "p90") > 10_000, open.Output);
        // Two messages of all that it sent met a stall.
        Assert.True(Latency(closed, "p99") < Latency(open, "p99") / 4, closed.Output);
    }

    private static double Latency(CliRun run, string name) => JsonNode.Parse(run.Output)!["latencyMicroseconds"]![name]!.GetValue<double>();
}
