using Microsoft.Extensions.Configuration;
using Perch.Configuration;
using Perch.Endpoints;
using static Perch.Tests.Configuration.ConfigurationText;

namespace Perch.Tests.Configuration;

public sealed class EndpointConfigTests
{
    private const string Plain = """ "Port": 1, "Protocol": "plain" """;
    private const string Udp = """ "Port": 1, "Protocol": "message", "Transport": "Udp", "Address": "0.0.0.0" """;
    private const string Written = """ "Port": 1, "Protocol": "echo", "Options": { "Prefix": "a", "Loud": true } """;

    [Fact]
    public void Equals_SameTextInAnotherOrder_IsEqual()
    {
        var (one, other) = (Of(Written), Of(""" "Options": { "Loud": true, "Prefix": "a" }, "Protocol": "echo", "Port": 1 """));

        Assert.Equal(one, other);
        Assert.Equal(one.GetHashCode(), other.GetHashCode());
    }

    /// <summary>A value for each key of an endpoint, other than the one that is written, and whether it rebinds.</summary>
    public static readonly TheoryData<string, string, string, bool> Keys = new()
    {
        { Written, "Port", "2", true },
        { Written, "Address", "127.0.0.2", true },
        { Written, "Backlog", "9", true },
        { Written, "Scheduling", "ThreadPool", true },
        { Written, "ReusePort", "true", true },
        { Written, "LogConnections", "Both", false },
        { Written, "LogConnections", "None", false },
        { Plain, "Protocol", "echo", false },
        { """ "UnixSocket": "a", "Protocol": "plain" """, "UnixSocket", "b", true },
        { """ "UnixSocket": "a", "Protocol": "plain" """, "Mode", "0600", true },
        { """ "Port": 1, "Protocol": "message" """, "Transport", "Udp", true },
        { Udp, "ReceiveBufferBytes", "65536", true },
        { Udp, "MulticastGroups:0", "239.1.2.3", true },
    };

    [Theory]
    [MemberData(nameof(Keys))]
    public void Read_OneKeyChanged_TakesEffectAndRebindsOnlyForTheSocket(string from, string key, string value, bool rebinds)
    {
        var (before, after) = (Of(from), Read(One(from), ($"Perch:Endpoints:e:{key}", value)).Endpoints["e"]);

        Assert.NotEqual(before, after);
        Assert.Equal(rebinds, before.Listen != after.Listen);
    }

    [Fact]
    public void Keys_OfTheSettings_AreAllInTheTable() => Assert.Equal(
        typeof(EndpointSettings).GetProperties().Select(p => p.Name).Except([nameof(EndpointSettings.Enabled)]).Order(StringComparer.Ordinal),
        Keys.Select(row => ((string)row[1]).Split(':')[0]).Distinct().Order(StringComparer.Ordinal));

    [Theory]
    [InlineData("Options:Prefix", "b")]
    [InlineData("Options:Delay", "00:00:01")]
    [InlineData("Guards:MaxConnections", "9")]
    public void Equals_OptionOrGuardChanged_IsNotEqual(string key, string value) =>
        Assert.NotEqual(Of(Written), Read(One(Written), ($"Perch:Endpoints:e:{key}", value)).Endpoints["e"]);

    /// <summary>A property without an equality by value would make each reload replace every endpoint, or none.</summary>
    [Theory]
    [InlineData(typeof(EndpointConfig))]
    [InlineData(typeof(ListenAddress))]
    [InlineData(typeof(GuardOptions))]
    public void Properties_OfWhatAReloadCompares_AreEqualByValue(Type type)
    {
        Assert.All(type.GetProperties().Where(p => p.CanWrite), property =>
        {
            var compared = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
            var equals = compared.GetMethod(nameof(Equals), [typeof(object)])!.DeclaringType;
            Assert.True(compared.IsEnum || (equals != typeof(object) && equals != typeof(ValueType)), property.Name);
        });
        var declared = type.GetMethod(nameof(Equals), [type])!;
        Assert.NotNull(declared.GetCustomAttributes(typeof(System.Runtime.CompilerServices.CompilerGeneratedAttribute), false).SingleOrDefault());
    }

    [Fact]
    public void Equals_OtherTotalOfConnections_IsNotEqual() =>
        Assert.NotEqual(Of(Written), Read(One(Written), ("Perch:MaxConnections", "9")).Endpoints["e"]);

    [Fact]
    public void Listen_GuardsChanged_IsEqual() =>
        Assert.Equal(Of(Written).Listen, Read(One(Written), ("Perch:Endpoints:e:Guards:MaxConnections", "9")).Endpoints["e"].Listen);

    /// <summary>As environment variables are written: PERCH__ENDPOINTS__RECORD-SYSLOG__PORT.</summary>
    [Fact]
    public void Name_LaterLayerInCapitals_IsThatOfTheFirstLayer()
    {
        var config = Read("""{ "Perch": { "Endpoints": { "record-syslog": { "Port": 1, "Protocol": "plain" } } } }""", ("PERCH:ENDPOINTS:RECORD-SYSLOG:PORT", "2"));

        var endpoint = Assert.Single(config.Endpoints.Values);
        Assert.Equal(("record-syslog", 2), (endpoint.Name, endpoint.Listen.Port));
    }

    [Fact]
    public void Name_OnlyInALaterLayer_IsAsItIsWrittenThere()
    {
        var config = Read("{}", ("Perch:Endpoints:NEW:Port", "2"), ("Perch:Endpoints:NEW:Protocol", "plain"));

        Assert.Equal("NEW", Assert.Single(config.Endpoints.Values).Name);
    }

    [Fact]
    public void Differences_OfSpellings_AreNamedOnce()
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("Perch:Endpoints:echo:Port", "1"), new("Perch:Endpoints:Same:Port", "1")])
            .AddInMemoryCollection([new("PERCH:ENDPOINTS:ECHO:PORT", "2"), new("PERCH:ENDPOINTS:ECHO:PROTOCOL", "echo"), new("Perch:Endpoints:Same:Port", "2")])
            .Build();

        Assert.Equal([("echo", "ECHO")], EndpointNames.Differences(configuration));
    }

    private static EndpointConfig Of(string keys) => Read(One(keys)).Endpoints["e"];
}
