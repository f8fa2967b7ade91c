using Perch.Endpoints;
using Perch.Transport;
using Perch.Wire.Framings;
using static Perch.Tests.Configuration.ConfigurationText;

namespace Perch.Tests.Configuration;

public sealed class EndpointKeysTests
{
    [Fact]
    public void Read_EveryKey_IsWhatWasWritten()
    {
        var endpoint = Read(One("""
            "Port": 25000, "Address": "0.0.0.0", "Transport": "tcp", "Protocol": "echo", "Backlog": 7,
            "Guards": { "MaxConnections": 3, "IdleTimeout": "00:00:05" },
            "Options": { "Prefix": "GOT:", "Loud": true, "Delay": "1.00:00:01", "Framing": "line", "MaxMessageBytes": 1000 }
            """)).Endpoints["E"];

        Assert.Equal("e", endpoint.Name);
        Assert.Equal("tcp 0.0.0.0:25000", endpoint.Listen.ToString());
        Assert.Equal(7, endpoint.Listen.Backlog);
        Assert.Equal(new GuardOptions { MaxConnections = 3, IdleTimeout = TimeSpan.FromSeconds(5) }, endpoint.Guards);
        var options = Assert.IsType<EchoTestOptions>(endpoint.Options.Value);
        Assert.Equal(
            ("GOT:", true, new TimeSpan(1, 0, 0, 1), Framing.Line, 1000),
            (options.Prefix, options.Loud, options.Delay, options.Framing, options.MaxMessageBytes));
    }

    [Fact]
    public void Read_FewestKeys_HaveTheDefaults()
    {
        var config = Read(One("""  "Port": 1, "Protocol": "plain" """));

        var endpoint = config.Endpoints["e"];
        Assert.Equal("tcp 127.0.0.1:1", endpoint.Listen.ToString());
        Assert.Equal(512, endpoint.Listen.Backlog);
        Assert.Equal(new GuardOptions(), endpoint.Guards);
        Assert.Equal(TimeSpan.FromSeconds(20), config.Shutdown.Drain);
        Assert.Equal(TimeSpan.Zero, config.Shutdown.LameDuck);
    }

    [Fact]
    public void Read_NoPerchSection_HasNoEndpoints() => Assert.Empty(Read("{}").Endpoints);

    [Fact]
    public void Read_PerchAddress_IsInherited() => Assert.Equal("tcp [::1]:1",
        Read("""{ "Perch": { "Address": "::1", "Endpoints": { "e": { "Port": 1, "Protocol": "plain" } } } }""").Endpoints["e"].Listen.ToString());

    [Fact]
    public void Read_SocketEngine_ServesTcpAndMakesAnotherAddress()
    {
        static ListenAddress Listen(string engine) => Read(
            $$"""{ "Perch": { "SocketEngine": "{{engine}}", "Endpoints": { "e": { "Port": 1, "Protocol": "plain" } } } }""").Endpoints["e"].Listen;
        Assert.Equal(SocketEngine.Direct, Listen("Direct").SocketEngine);
        Assert.Equal(SocketEngine.Kestrel, Listen("Kestrel").SocketEngine);
        Assert.NotEqual(Listen("Direct"), Listen("Kestrel"));
    }

    [Fact]
    public void Read_Scheduling_IsTheDirectTransportsAndMakesAnotherAddress()
    {
        static ListenAddress Listen(string engine, string key) => Read(
            $$"""{ "Perch": { "SocketEngine": "{{engine}}", "Endpoints": { "e": { "Port": 1, "Protocol": "plain" {{key}} } } } }""").Endpoints["e"].Listen;
        const string Pool = """ , "Scheduling": "threadpool" """;
        Assert.Equal(ContinuationScheduling.Inline, Listen("Direct", "").Scheduling);
        Assert.Equal(ContinuationScheduling.ThreadPool, Listen("Direct", Pool).Scheduling);
        Assert.NotEqual(Listen("Direct", ""), Listen("Direct", Pool));
        // Without it nothing changes, so nothing is bound anew.
        Assert.Equal(Listen("Kestrel", ""), Listen("Kestrel", Pool));
    }

    [Fact]
    public void Read_UnixSocket_IsRelativeToTheContentRoot() => Assert.Equal("unix /srv/perch/run/e.sock",
        Read(One(""" "UnixSocket": "run/e.sock", "Protocol": "plain" """)).Endpoints["e"].Listen.ToString());

    [Fact]
    public void Read_DisabledEndpoint_IsNotServedAndStillChecked()
    {
        Assert.Empty(Read(One(""" "Port": 1, "Protocol": "plain", "Enabled": false """)).Endpoints);
        Assert.Equal("Perch:Endpoints:e:Prot", FaultsOf(One(""" "Port": 1, "Protocol": "plain", "Enabled": false, "Prot": 1 """))[0].Key);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("PLAIN")]
    [InlineData("Plain")]
    public void Read_ProtocolNameInAnyCase_IsFound(string name) => Assert.Equal("plain",
        Read(One($""" "Port": 1, "Protocol": "{name}" """)).Endpoints["e"].Protocol.Name);

    [Fact]
    public void Read_OverrideOfOneKey_LeavesTheOthers()
    {
        var endpoint = Read(One(""" "Port": 1, "Protocol": "echo", "Options": { "Prefix": "a", "MaxMessageBytes": 9 } """),
            ("Perch:Endpoints:e:Port", "2"), ("PERCH:ENDPOINTS:E:OPTIONS:PREFIX", "b")).Endpoints["e"];

        var options = Assert.IsType<EchoTestOptions>(endpoint.Options.Value);
        Assert.Equal((2, "b", 9), (endpoint.Listen.Port, options.Prefix, options.MaxMessageBytes));
    }

    [Fact]
    public void Read_DefaultGuards_AreInheritedKeyByKey()
    {
        var endpoints = Read("""
            { "Perch": {
              "Defaults": { "Guards": { "MaxConnections": 5, "IdleTimeout": "00:00:05" } },
              "Endpoints": {
                "own": { "Port": 1, "Protocol": "plain", "Guards": { "MaxConnections": 6 } },
                "none": { "Port": 2, "Protocol": "plain" } } } }
            """).Endpoints;

        var defaults = new GuardOptions { MaxConnections = 5, IdleTimeout = TimeSpan.FromSeconds(5) };
        Assert.Equal(defaults with { MaxConnections = 6 }, endpoints["own"].Guards);
        Assert.Equal(defaults, endpoints["none"].Guards);
    }

    [Fact]
    public void Registry_ProtocolRegisteredTwice_Throws()
    {
        var error = Assert.Throws<InvalidOperationException>(() => new ProtocolRegistry(
            [new("echo", typeof(EndpointKeysTests), typeof(NoOptions)), new("ECHO", typeof(EchoTestOptions), typeof(NoOptions))]));

        Assert.Contains(nameof(EndpointKeysTests), error.Message, StringComparison.Ordinal);
        Assert.Contains(nameof(EchoTestOptions), error.Message, StringComparison.Ordinal);
    }
}
