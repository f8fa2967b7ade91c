using Perch.Cli.Net;

namespace Perch.Cli.Tests.Net;

public sealed class TargetTests
{
    [Theory]
    [InlineData("localhost:25000", "Tcp", "localhost", 25000, null, false, "")]
    [InlineData(":25000", "Tcp", "localhost", 25000, null, false, "")]
    [InlineData("tcp://a.example:7", "Tcp", "a.example", 7, null, false, "")]
    [InlineData("tls://a.example:443", "Tcp", "a.example", 443, null, true, "")]
    [InlineData("udp://[::1]:5514", "Udp", "::1", 5514, null, false, "")]
    [InlineData("[::1]:7", "Tcp", "::1", 7, null, false, "")]
    [InlineData("unix:/run/x.sock", "Unix", "/run/x.sock", 0, null, false, "")]
    [InlineData("unix:///run/x.sock", "Unix", "/run/x.sock", 0, null, false, "")]
    [InlineData("unix:run/x.sock", "Unix", "run/x.sock", 0, null, false, "")]
    [InlineData("hello://localhost", "Tcp", "localhost", 8000, "hello", false, "")]
    [InlineData("hello://localhost:8001", "Tcp", "localhost", 8001, "hello", false, "")]
    [InlineData("hello://[::1]", "Tcp", "::1", 8000, "hello", false, "")]
    [InlineData("files://h/photos/cat%20a.jpg", "Tcp", "h", 9995, "files", false, "photos/cat a.jpg")]
    [InlineData("TCP://A.example:7", "Tcp", "A.example", 7, null, false, "")]
    [InlineData("Tls://a.example:443", "Tcp", "a.example", 443, null, true, "")]
    [InlineData("UDP://[::1]:5514", "Udp", "::1", 5514, null, false, "")]
    [InlineData("UNIX:/run/X.sock", "Unix", "/run/X.sock", 0, null, false, "")]
    [InlineData("Hello://localhost", "Tcp", "localhost", 8000, "hello", false, "")]
    [InlineData("FILES://h/Photos/", "Tcp", "h", 9995, "files", false, "Photos/")]
    [InlineData("TFTP://h/Boot", "Udp", "h", 69, "tftp", false, "Boot")]
    [InlineData("files://h:1/dir/", "Tcp", "h", 1, "files", false, "dir/")]
    public void TryParse_OfAForm_IsRead(string text, string transport, string host, int port, string? protocol, bool isTls, string path)
    {
        Assert.True(Target.TryParse(text, out var target, out var fault), fault);
        Assert.Equal((transport, host, port, protocol, isTls, path), (target.Transport.ToString(), target.Host, target.Port, target.Protocol, target.IsTls, target.Path));
    }

    [Theory]
    [InlineData("", "host")]
    [InlineData("localhost", "port")]
    [InlineData("localhost:0", "port")]
    [InlineData("localhost:65536", "port")]
    [InlineData("localhost:-1", "port")]
    [InlineData("localhost:+1", "port")]
    [InlineData("tcp://:", "host")]
    [InlineData("::1:80", "port")]
    [InlineData("gopher://h:70", "scheme")]
    [InlineData("unix:", "path")]
    public void TryParse_OfNoForm_SaysHowItIsWritten(string text, string about)
    {
        Assert.False(Target.TryParse(text, out _, out var fault));
        Assert.Contains(about, fault, StringComparison.Ordinal);
    }

    [Fact]
    public void TryParse_OfEscapeSequences_ShowsThemEscaped()
    {
        Assert.False(Target.TryParse("\u001b[2J://x", out _, out var fault));
        Assert.DoesNotContain('\u001b', fault);
    }
}
