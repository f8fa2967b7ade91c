using Perch.Connections;
using Perch.Diagnostics;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Diagnostics;

public sealed class MessageMeterTests
{
    [Fact]
    public void Stop_SomebodyListens_RecordsAndReturnsTheNextStart()
    {
        using var pipeline = new TestPipeline();
        using var readings = new MeterReadings(pipeline.Meters);
        var meter = MessageMeter.Of(Connection(pipeline));

        var first = meter.Start();
        var second = meter.Stop(first);
        var third = meter.Stop(second);

        Assert.True(0 < first && first <= second && second <= third);
        Assert.Equal(["endpoint=e protocol=p", "endpoint=e protocol=p"], readings.Of("perch.message.duration").Select(r => r.Tags));
    }

    [Fact]
    public void Start_NobodyListens_TakesNoTime()
    {
        using var pipeline = new TestPipeline();
        var meter = MessageMeter.Of(Connection(pipeline));

        Assert.Equal((0, 0), (meter.Start(), meter.Stop(0)));
    }

    [Fact]
    public void Start_OutsideTheHost_TakesNoTime()
    {
        var meter = MessageMeter.Of(new InMemoryConnection());

        Assert.Equal((0, 0), (meter.Start(), meter.Stop(0)));
    }

    private static InMemoryConnection Connection(TestPipeline pipeline)
    {
        var connection = new InMemoryConnection();
        var traffic = new EndpointTraffic("e", "p");
        traffic.MeterBy(pipeline.Services.Metrics.MessageDuration);
        connection.Features.Set<IPerchConnectionFeature>(new ConnectionState(connection, traffic, pipeline.Time));
        return connection;
    }
}
