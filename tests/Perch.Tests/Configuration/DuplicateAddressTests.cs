using static Perch.Tests.Configuration.ConfigurationText;

namespace Perch.Tests.Configuration;

public sealed class DuplicateAddressTests
{
    [Theory]
    [InlineData("127.0.0.1", "127.0.0.1")]
    [InlineData("127.0.0.1", "0.0.0.0")]
    [InlineData("0.0.0.0", "127.0.0.2")]
    [InlineData("0.0.0.0", "::")]
    [InlineData("::", "127.0.0.1")]
    [InlineData("::1", "::")]
    [InlineData("::1", "0:0:0:0:0:0:0:1")]
    public void Read_OnePortOnOverlappingAddresses_IsAFault(string first, string second)
    {
        var fault = FaultOf(Several($""" "Port": 5, "Address": "{first}" """, $""" "Port": 5, "Address": "{second}" """));

        Assert.Equal(("Perch:Endpoints:e1:Port", "5 is the port of endpoint 'e0' too"), (fault.Key, fault.Problem));
    }

    [Theory]
    [InlineData("127.0.0.1", "127.0.0.2")]
    [InlineData("127.0.0.1", "::1")]
    [InlineData("0.0.0.0", "::1")]
    public void Read_OnePortOnDifferentAddresses_IsFine(string first, string second) =>
        Assert.Equal(2, Read(Several($""" "Port": 5, "Address": "{first}" """, $""" "Port": 5, "Address": "{second}" """)).Endpoints.Count);

    [Fact]
    public void Read_PortZeroTwice_IsFine() =>
        Assert.Equal(2, Read(Several(""" "Port": 0 """, """ "Port": 0 """)).Endpoints.Count);

    [Fact]
    public void Read_PortOfADisabledEndpoint_IsFine() =>
        Assert.Equal("e1", Assert.Single(Read(Several(""" "Port": 5, "Enabled": false """, """ "Port": 5 """)).Endpoints).Key);

    [Fact]
    public void Read_ThreeOnOnePort_BlamesTheSecondAndTheThird() => Assert.Equal(
        ["Perch:Endpoints:e1:Port", "Perch:Endpoints:e2:Port"],
        FaultsOf(Several(""" "Port": 5 """, """ "Port": 5 """, """ "Port": 5 """)).Select(f => f.Key));

    [Fact]
    public void Read_UnixSocketTwice_IsAFaultHoweverItIsSpelled()
    {
        var fault = FaultOf(Several(""" "UnixSocket": "run/e.sock" """, """ "UnixSocket": "/srv/perch/x/../run/e.sock" """));

        Assert.Equal(("Perch:Endpoints:e1:UnixSocket", "'/srv/perch/run/e.sock' is the socket of endpoint 'e0' too"), (fault.Key, fault.Problem));
    }

    [Fact]
    public void Read_TwoUnixSocketsAndAPort_AreFine() =>
        Assert.Equal(3, Read(Several(""" "UnixSocket": "a" """, """ "UnixSocket": "b" """, """ "Port": 5 """)).Endpoints.Count);
}
