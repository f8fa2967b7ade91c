using Perch.Messages;

namespace Perch.Protocols.Echo;

/// <summary>Options of <c>echo</c>, <c>echo-conversation</c> and <c>echo-raw</c>. A message is at most 1,000 bytes by default.</summary>
public sealed class EchoOptions : MessageOptions
{
    /// <summary>1,000 bytes is what the tutorial's server receives at once.</summary>
    public EchoOptions() => MaxMessageBytes = 1000;

    /// <summary>What comes before each message, in UTF-8. Default <c>GOT:</c>; empty makes it RFC 862.</summary>
    public string Prefix { get; set; } = "GOT:";
}
