namespace Perch.Wire;

/// <summary>The peer broke the protocol, and the stream cannot be read any further.</summary>
/// <remarks>
/// A codec throws this and nothing else on what a peer sent. The text may go to the peer as it is: it names the rule and
/// its bound, never the bytes that broke it.
/// </remarks>
/// <param name="code">A stable word in lower-case kebab form, for metrics and for programs: see <see cref="Code"/>.</param>
/// <param name="text">One sentence for a person, safe to send to the peer.</param>
public sealed class ProtocolException(string code, string text) : Exception(text)
{
    /// <summary>
    /// The rule that was broken. The framings use <c>too-long</c> (over the bound), <c>malformed</c> (not the grammar) and
    /// <c>truncated</c> (the stream ended inside a message); a protocol adds its own.
    /// </summary>
    public string Code { get; } = code;

    internal static ProtocolException TooLong(int max) => new("too-long", $"A message may have at most {max} bytes.");
}
