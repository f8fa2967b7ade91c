using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

public sealed class MetricsTests
{
    private const string Labels = "endpoint=test protocol=test";

    [Fact]
    public async Task Metrics_ConnectionsOfEveryKind_AgreeWithTheTotals()
    {
        using var pipeline = new TestPipeline();
        using var readings = new MeterReadings(pipeline.Meters);
        var (first, second, third) = (new InMemoryConnection(), new InMemoryConnection(), new InMemoryConnection());
        await first.SendAsync("abc");
        var gate = new TaskCompletionSource();
        await pipeline.ServeAsync(
            async c =>
            {
                c.Transport.Input.AdvanceTo((await c.Transport.Input.ReadAsync()).Buffer.End);
                await c.Transport.Output.WriteAsync(new byte[5]);
                c.Features.Get<IPerchConnectionFeature>()!.Messages += 2;
                pipeline.Time.Advance(TimeSpan.FromSeconds(4));
            },
            first).Soon();
        await pipeline.ServeAsync(_ => throw new InvalidOperationException(), second).Soon();
        var live = pipeline.ServeAsync(_ => gate.Task, third);
        readings.Observe();

        Assert.Equal([(1, Labels)], readings.Of("perch.connections.active"));
        Assert.Equal([(3, Labels)], readings.Of("perch.connections.accepted"));
        Assert.Equal([(3, Labels)], readings.Of("perch.bytes.received"));
        Assert.Equal([(5, Labels)], readings.Of("perch.bytes.sent"));
        Assert.Equal([(2, Labels)], readings.Of("perch.messages"));
        Assert.Equal(
            [(1, "endpoint=test outcome=Completed protocol=test"), (1, "endpoint=test outcome=HandlerFault protocol=test")],
            readings.Of("perch.connections.ended").Where(ended => ended.Item1 > 0));
        Assert.Equal(Enum.GetValues<ConnectionOutcome>().Length, readings.Of("perch.connections.ended").Length);
        Assert.Equal(
            [(4, "endpoint=test outcome=Completed protocol=test"), (0, "endpoint=test outcome=HandlerFault protocol=test")],
            readings.Of("perch.connection.duration"));
        gate.SetResult();
        await live.Soon();
    }
}
