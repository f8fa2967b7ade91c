using System.ComponentModel.DataAnnotations;
using Perch.Messages;

namespace Perch.Protocols.Echo;

/// <summary>Options of <c>echo-blocking</c>.</summary>
public sealed class EchoBlockingOptions : BlockingOptions
{
    /// <summary>What comes before each message, in UTF-8. Default <c>GOT:</c>; empty makes it RFC 862.</summary>
    public string Prefix { get; set; } = "GOT:";

    /// <summary>Most bytes that one read takes. Default 1,000.</summary>
    [Range(1, 65536)]
    public int MaxMessageBytes { get; set; } = 1000;
}
