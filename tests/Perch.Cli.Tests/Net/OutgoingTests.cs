using System.Text;
using Perch.Cli.Net;
using Perch.Wire.Framings;

namespace Perch.Cli.Tests.Net;

public sealed class OutgoingTests
{
    [Theory]
    [InlineData("<13>a\nb", "7 <13>a\nb")]
    [InlineData("hi", "hi\n")]
    [InlineData("2024-11-07 x", "2024-11-07 x\n")]
    public void Frame_Syslog_IsReadAsTheSameMessage(string message, string sent) =>
        Assert.Equal(sent, Encoding.ASCII.GetString(Outgoing.Frame(Framing.Syslog, Encoding.ASCII.GetBytes(message)).Span));

    [Theory]
    [InlineData("a\nb")]
    [InlineData("a\0b")]
    public void Frame_SyslogWithoutPriorityOfSeveralLines_IsRefused(string message) =>
        Assert.Equal(ExitCode.Usage, Assert.Throws<CliException>(() => Outgoing.Frame(Framing.Syslog, Encoding.ASCII.GetBytes(message))).ExitCode);
}
