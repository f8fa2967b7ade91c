using Perch.Messages;

namespace Perch.Protocols.Hello;

/// <summary>Options of <c>hello</c>. A message is at most 5,120 bytes by default.</summary>
public sealed class HelloOptions : MessageOptions
{
    /// <summary>5,120 bytes is what the tutorial's server receives at once.</summary>
    public HelloOptions() => MaxMessageBytes = 5120;
}
