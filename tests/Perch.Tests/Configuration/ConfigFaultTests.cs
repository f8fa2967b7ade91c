using Perch.Configuration;
using static Perch.Tests.Configuration.ConfigurationText;

namespace Perch.Tests.Configuration;

public sealed class ConfigFaultTests
{
    private const string KnownGuards = "Known here: FirstByteTimeout, IdleTimeout, KeepAlive, MaxConnections, MaxDatagramsInHand, "
        + "RepliesPerSecond, WriteTimeout";
    private const string KnownEndpoint = "Known here: Address, Backlog, Enabled, Guards, LogConnections, Mode, MulticastGroups, Options, Port, Protocol, ReceiveBufferBytes, "
        + "ReusePort, Scheduling, Transport, UnixSocket";
    private const string KnownEcho = "Known here: Delay, Framing, Loud, MaxMessageBytes, Prefix";

    [Theory]
    [InlineData(""" "Prot": 1 """, "Perch:Endpoints:e:Prot", "is not a known key", KnownEndpoint)]
    [InlineData(""" "Guards": { "MaxConnection": 1 } """, "Perch:Endpoints:e:Guards:MaxConnection", "is not a known key", KnownGuards)]
    [InlineData(""" "Options": { "Prefx": "" } """, "Perch:Endpoints:e:Options:Prefx", "is not a known key", KnownEcho)]
    [InlineData(""" "Backlog": 0 """, "Perch:Endpoints:e:Backlog", "0 is out of range", "Write a value between 1 and 65535")]
    [InlineData(""" "LogConnections": "Always" """, "Perch:Endpoints:e:LogConnections", "'Always' is not one of the known words", "Write one of: Ended, Both, None")]
    [InlineData(""" "Guards": { "MaxConnections": 0 } """, "Perch:Endpoints:e:Guards:MaxConnections", "0 is out of range", "Write a value between 1 and 1000000")]
    [InlineData(""" "Guards": { "IdleTimeout": "-00:00:01" } """, "Perch:Endpoints:e:Guards:IdleTimeout", "-00:00:01 is out of range", "Write a value between 00:00:00 and 24.00:00:00")]
    [InlineData(""" "Guards": { "IdleTimeout": "60" } """, "Perch:Endpoints:e:Guards:IdleTimeout", "'60' is not a time span", "Write hh:mm:ss, for example 00:01:30")]
    [InlineData(""" "Guards": { "IdleTimeout": "24:00:00" } """, "Perch:Endpoints:e:Guards:IdleTimeout", "'24:00:00' is not a time span", "Write hh:mm:ss, for example 00:01:30")]
    [InlineData(""" "Guards": { "MaxConnections": "many" } """, "Perch:Endpoints:e:Guards:MaxConnections", "'many' is not a number that fits", "Write a number that fits")]
    [InlineData(""" "Guards": { "MaxConnections": 3000000000 } """, "Perch:Endpoints:e:Guards:MaxConnections", "'3000000000' is not a number that fits", "Write a number that fits")]
    [InlineData(""" "Guards": { "KeepAlive": { "Time": "00:00:01.5" } } """, "Perch:Endpoints:e:Guards:KeepAlive:Time",
        "00:00:01.5000000 is not a number of whole seconds", "Correct the value")]
    [InlineData(""" "Guards": { "KeepAlive": { "Interval": "00:00:00" } } """, "Perch:Endpoints:e:Guards:KeepAlive:Interval",
        "00:00:00 is out of range", "Write a value between 00:00:01 and 09:06:07")]
    [InlineData(""" "Guards": { "KeepAlive": { "Probes": 0 } } """, "Perch:Endpoints:e:Guards:KeepAlive:Probes", "0 is out of range",
        "Write a value between 1 and 127")]
    [InlineData(""" "Guards": { "KeepAlive": { "Count": 1 } } """, "Perch:Endpoints:e:Guards:KeepAlive:Count", "is not a known key",
        "Known here: Interval, Probes, Time")]
    [InlineData(""" "Guards": 5 """, "Perch:Endpoints:e:Guards", "is the value '5', not a section", "Write an object: { ... }")]
    [InlineData(""" "Options": "x" """, "Perch:Endpoints:e:Options", "is the value 'x', not a section", "Write an object: { ... }")]
    [InlineData(""" "Options": { "Prefix": { "a": 1 } } """, "Perch:Endpoints:e:Options:Prefix", "is a section, not a value", "Write text")]
    [InlineData(""" "Options": { "MaxMessageBytes": [ 1 ] } """, "Perch:Endpoints:e:Options:MaxMessageBytes", "is a section, not a value", "Write a number that fits")]
    [InlineData(""" "Options": { "MaxMessageBytes": 0 } """, "Perch:Endpoints:e:Options:MaxMessageBytes", "0 is out of range", "Write a value between 1 and 16777216")]
    [InlineData(""" "Options": { "Framing": 1 } """, "Perch:Endpoints:e:Options:Framing", "'1' is not one of the known words", "Write one of: Chunk, Line, Length, Syslog")]
    [InlineData(""" "Options": { "Framing": "Word" } """, "Perch:Endpoints:e:Options:Framing", "'Word' is not one of the known words", "Write one of: Chunk, Line, Length, Syslog")]
    [InlineData(""" "Options": { "Framing": "Line,Length" } """, "Perch:Endpoints:e:Options:Framing", "'Line,Length' is not one of the known words", "Write one of: Chunk, Line, Length, Syslog")]
    [InlineData(""" "Options": { "Loud": "yes" } """, "Perch:Endpoints:e:Options:Loud", "'yes' is not true or false", "Write true or false")]
    [InlineData(""" "Address": "localhost" """, "Perch:Endpoints:e:Address", "'localhost' is not an IP address", "Write for example 127.0.0.1, 0.0.0.0 (every IPv4 address), ::1 or :: (every address)")]
    [InlineData(""" "UnixSocket": "a.sock" """, "Perch:Endpoints:e:Port", "stands beside UnixSocket", "Write either Port (0 to 65535) or UnixSocket (a path)")]
    [InlineData(""" "Mode": "0660" """, "Perch:Endpoints:e:Mode", "is for Unix sockets", "Remove it, or write UnixSocket in place of Port")]
    [InlineData(""" "Scheduling": "Pool" """, "Perch:Endpoints:e:Scheduling", "'Pool' is not one of the known words", "Write one of: Inline, ThreadPool")]
    [InlineData(""" "Transport": "Quic" """, "Perch:Endpoints:e:Transport", "'Quic' is not one of the known words", "Write one of: Tcp, Udp")]
    public void Read_FaultyKeyBesideGoodOnes_IsTheOneFault(string key, string path, string problem, string cure) =>
        Assert.Equal(new ConfigFault(path, problem, cure), FaultOf(One($""" "Port": 1, "Protocol": "echo", {key} """)));

    [Theory]
    [InlineData(""" "Protocol": "plain" """, "Perch:Endpoints:e:Port", "is missing")]
    [InlineData(""" "Protocol": "plain", "Port": 65536 """, "Perch:Endpoints:e:Port", "65536 is out of range")]
    [InlineData(""" "Protocol": "plain", "Port": -1 """, "Perch:Endpoints:e:Port", "-1 is out of range")]
    [InlineData(""" "Protocol": "plain", "Port": "http" """, "Perch:Endpoints:e:Port", "'http' is not a number that fits")]
    [InlineData(""" "Protocol": "plain", "UnixSocket": "" """, "Perch:Endpoints:e:UnixSocket", "is not a path")]
    [InlineData(""" "Protocol": "plain", "UnixSocket": "a\u0000b" """, "Perch:Endpoints:e:UnixSocket", "is not a path")]
    [InlineData(""" "Protocol": "plain", "Port": 1, "Options": { "A": 1 } """, "Perch:Endpoints:e:Options:A", "is not a known key")]
    [InlineData(""" "Port": 1 """, "Perch:Endpoints:e:Protocol", "is missing")]
    [InlineData(""" "Port": 1, "Protocol": "ecko" """, "Perch:Endpoints:e:Protocol", "'ecko' is not a known protocol")]
    public void Read_FaultyEndpoint_IsTheOneFault(string keys, string path, string problem)
    {
        var fault = FaultOf(One(keys));

        Assert.Equal((path, problem), (fault.Key, fault.Problem));
        if (path.EndsWith("Protocol", StringComparison.Ordinal)) Assert.Equal("Write one of: echo, message, plain", fault.Cure);
    }

    [Theory]
    [InlineData("rw-rw----")]
    [InlineData("0888")]
    [InlineData("66")]
    [InlineData("4777")]
    [InlineData("00660")]
    [InlineData("-660")]
    public void Read_ModeThatIsNotOctal_IsAFaultWithTheCure(string mode) => Assert.Equal(
        new ConfigFault("Perch:Endpoints:e:Mode", $"'{mode}' is not an octal file mode", "Write three octal digits, for example \"0660\": the owner and the group may connect"),
        FaultOf(One($""" "UnixSocket": "a", "Protocol": "plain", "Mode": "{mode}" """)));

    [Theory]
    [InlineData("\"0660\"", 0b110_110_000)]
    [InlineData("\"600\"", 0b110_000_000)]
    [InlineData("777", 0b111_111_111)]
    public void Read_Mode_IsOctal(string written, int expected) =>
        Assert.Equal((UnixFileMode)expected, Read(One($""" "UnixSocket": "a", "Protocol": "plain", "Mode": {written} """)).Endpoints["e"].Listen.Mode);

    [Theory]
    [InlineData(107, true)]
    [InlineData(108, false)]
    public void Read_LongUnixPath_FitsWhatTheSystemTakes(int bytes, bool fits)
    {
        // Counted in bytes of UTF-8, from the root.
        var path = "/" + new string('é', 3) + new string('a', bytes - 7);
        var json = One($""" "Protocol": "plain", "UnixSocket": "{path}" """);

        if (fits) Assert.Equal(path, Read(json).Endpoints["e"].Listen.UnixSocket);
        else Assert.Equal("Perch:Endpoints:e:UnixSocket", FaultOf(json).Key);
    }

    [Theory]
    [InlineData(""" "Adress": "" """, "Perch:Adress", "Known here: Address, Defaults, Endpoints, Loops, MaxConnections, MemoryBudget, Shared, Shutdown, SocketEngine")]
    [InlineData(""" "SocketEngine": "Quick" """, "Perch:SocketEngine", "Write one of: Direct, Kestrel")]
    [InlineData(""" "Endpoints": "e" """, "Perch:Endpoints", "Write an object: { ... }")]
    [InlineData(""" "Defaults": 1 """, "Perch:Defaults", "Write an object: { ... }")]
    [InlineData(""" "Shared": { "Prefx": "" } """, "Perch:Shared:Prefx", "Known here: Delay, Framing, Loud, MaxMessageBytes, Prefix")]
    [InlineData(""" "Shutdown": { "Drain": "00:00:20", "Wait": 1 } """, "Perch:Shutdown:Wait", "Known here: Drain, LameDuck")]
    [InlineData(""" "Shutdown": { "Drain": "02:00:00" } """, "Perch:Shutdown:Drain", "Write a value between 00:00:00 and 01:00:00")]
    [InlineData(""" "Loops": -1 """, "Perch:Loops", "Write a value between 0 and 1024")]
    [InlineData(""" "Loops": 1025 """, "Perch:Loops", "Write a value between 0 and 1024")]
    [InlineData(""" "MaxConnections": 0 """, "Perch:MaxConnections", "Write a value between 1 and 10000000")]
    [InlineData(""" "MemoryBudget": 16777215 """, "Perch:MemoryBudget", "Write a value between 16777216 and 100000000000000")]
    [InlineData(""" "MemoryBudget": "half" """, "Perch:MemoryBudget", "Write a number that fits")]
    public void Read_FaultOutsideEndpoints_NamesKeyAndCure(string keys, string path, string cure)
    {
        var fault = FaultOf($$"""{ "Perch": { {{keys}} } }""");

        Assert.Equal((path, cure), (fault.Key, fault.Cure));
    }

    [Fact]
    public void Read_ReusePortOfAUnixSocket_IsAFault()
    {
        var fault = FaultOf(One(""" "UnixSocket": "a", "Protocol": "plain", "ReusePort": true """));

        Assert.Equal(("Perch:Endpoints:e:ReusePort", "is for TCP ports"), (fault.Key, fault.Problem));
        Assert.Equal("Remove it, or write Port in place of UnixSocket: a Unix socket belongs to one process", fault.Cure);
    }

    [Theory]
    [InlineData("Perch:Transport", "Sockets", "Kestrel")]
    [InlineData("perch:transport", "sockets", "Kestrel")]
    [InlineData("Perch:Transport", "Direct", "Direct")]
    public void Read_OldKeyOfTheSocketEngine_NamesTheNewKeyAndValue(string key, string value, string engine)
    {
        var fault = FaultOf($$"""{ "{{key}}": "{{value}}" }""");

        Assert.Equal($"'{value}' is written under the old name of Perch:SocketEngine", fault.Problem);
        Assert.Equal($"Write \"SocketEngine\": \"{engine}\", or in the environment Perch__SocketEngine={engine}", fault.Cure);
    }

    [Fact]
    public void Read_ValueWhereTheSectionShouldBe_IsAFault() => Assert.Equal("Perch", FaultOf("""{ "Perch": "x" }""").Key);

    [Fact]
    public void Read_BadPerchAddress_IsReportedOnce() => Assert.Equal("Perch:Address", FaultOf("""
        { "Perch": { "Address": "here", "Endpoints": { "a": { "Port": 1, "Protocol": "plain" }, "b": { "Port": 2, "Protocol": "plain" } } } }
        """).Key);

    [Fact]
    public void Read_BadDefaultGuard_IsReportedOnce() => Assert.Equal("Perch:Defaults:Guards:MaxConnections", FaultOf("""
        { "Perch": { "Defaults": { "Guards": { "MaxConnections": 0 } }, "Endpoints": { "a": { "Port": 1, "Protocol": "plain" } } } }
        """).Key);

    [Fact]
    public void Read_ManyFaults_AreReportedTogether()
    {
        var error = Assert.Throws<PerchConfigurationException>(() => Read("""
            { "Perch": {
              "Colour": "red",
              "Endpoints": {
                "a": { "Port": 70000, "Protocol": "ecko", "Guards": { "IdleTimeout": "5" } },
                "b": { "Protocol": "echo", "Options": { "Prefx": "x", "Framing": "Word" } },
                "c": { "Port": 5, "Protocol": "plain" },
                "d": { "Port": 5, "Protocol": "plain" } } } }
            """));

        Assert.Equal(
            [
                "Perch:Colour", "Perch:Endpoints:a:Guards:IdleTimeout", "Perch:Endpoints:a:Port", "Perch:Endpoints:a:Protocol",
                "Perch:Endpoints:b:Options:Framing", "Perch:Endpoints:b:Options:Prefx", "Perch:Endpoints:b:Port", "Perch:Endpoints:d:Port",
            ],
            error.Faults.Select(f => f.Key).Order(StringComparer.Ordinal));
        Assert.All(error.Faults, f => Assert.Contains($"{f.Key}: {f.Problem}. {f.Cure}.", error.Message, StringComparison.Ordinal));
    }

    [Fact]
    public void ToString_TextsThatEndWithAFullStop_HaveOneEach() =>
        Assert.Equal("k: It failed. Do it", new ConfigFault("k", "It failed.", "Do it.").ToString()[..^1]);

    [Fact]
    public void Read_KeepAliveOfDefaultsAndEndpoints_IsInheritedKeyByKey()
    {
        var config = Read("""
            { "Perch": { "Defaults": { "Guards": { "KeepAlive": { "Interval": "00:00:07" } } }, "Endpoints": {
                "a": { "Port": 1, "Protocol": "plain",
                    "Guards": { "KeepAlive": { "Probes": 2 } } }, "b": { "Port": 2, "Protocol": "plain" } } } }
            """);

        Assert.Equal(new() { Interval = TimeSpan.FromSeconds(7), Probes = 2 }, config.Endpoints["a"].Guards.KeepAlive);
        Assert.Equal(new() { Interval = TimeSpan.FromSeconds(7) }, config.Endpoints["b"].Guards.KeepAlive);
    }
}
