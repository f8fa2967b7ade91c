using System.Text;

namespace Perch.Protocols.Tests.Echo;

/// <summary>The four shapes of the echo, and the dialogues that all of them hold alike.</summary>
internal static class EchoShapes
{
    /// <summary>Those that know framings: a blocking handler has a stream, not messages.</summary>
    public static readonly string[] Framed = ["echo", "echo-conversation", "echo-raw"];

    public static readonly string[] All = [.. Framed, "echo-blocking"];

    public static readonly EchoDialogue[] Chunks =
    [
        new("text", "{}", "Hello", "GOT:Hello", 1),
        new("text with its line end", "{}", "Hello\r\n", "GOT:Hello\r\n", 1),
        new("nothing", "{}", "", "", 0),
        new("no prefix: RFC 862", """{ "Prefix": "" }""", "Hello\n", "Hello\n", 1),
        new("a prefix in UTF-8", """{ "Prefix": "受信:" }""", "データ", "受信:データ", 1),
        new("every byte there is", "{}", AllBytes, [.. "GOT:"u8, .. AllBytes], 1),
        new("as many bytes as a message has", "{}", Xs(1000), "GOT:" + Xs(1000), 1),
        new("one byte more", "{}", Xs(1001), $"GOT:{Xs(1000)}GOT:x", 2),
        new("many messages in one read", "{}", Xs(2500), $"GOT:{Xs(1000)}GOT:{Xs(1000)}GOT:{Xs(500)}", 3),
        new("several segments of memory", """{ "MaxMessageBytes": 65536, "Prefix": "" }""", Xs(30_000), Xs(30_000), 1),
        new("a bound of one byte", """{ "MaxMessageBytes": 1 }""", "abc", "GOT:aGOT:bGOT:c", 3),
    ];

    public static readonly EchoDialogue[] Frames =
    [
        new("lines, LF and CRLF", """{ "Framing": "Line" }""", "one\ntwo\r\n", "GOT:oneGOT:two", 2),
        new("a CR that ends no line", """{ "Framing": "Line" }""", "a\rb\n", "GOT:a\rb", 1),
        new("empty lines", """{ "Framing": "Line" }""", "\n\r\n", "GOT:GOT:", 2),
        new("the longest line", """{ "Framing": "Line" }""", Xs(1000) + "\r\n", "GOT:" + Xs(1000), 1),
        new("lines without a prefix", """{ "Framing": "Line", "Prefix": "" }""", "one\ntwo\n", "onetwo", 2),
        new("lengths", """{ "Framing": "Length" }""", "\0\0\0\u0003one\0\0\0\u0004two!", "GOT:oneGOT:two!", 2),
        new("a length of nothing", """{ "Framing": "Length" }""", "\0\0\0\0", "GOT:", 1),
        new("the longest by length", """{ "Framing": "Length", "MaxMessageBytes": 3 }""", "\0\0\0\u0003one", "GOT:one", 1),
        new("syslog, counted", """{ "Framing": "Syslog" }""", "7 <1>a\nbc5 <2>de", "GOT:<1>a\nbcGOT:<2>de", 2),
        new("syslog, lines", """{ "Framing": "Syslog" }""", "<1>a\n\n<2>b\r\n", "GOT:<1>aGOT:<2>b", 2),
        new("syslog, both", """{ "Framing": "Syslog" }""", "<1>a\n4 <2>b\n<3>c\n", "GOT:<1>aGOT:<2>bGOT:<3>c", 3),
        new("syslog, ended by NUL", """{ "Framing": "Syslog" }""", "<1>a\0<2>b\0", "GOT:<1>aGOT:<2>b", 2),
        new("syslog, ended by the end of the stream", """{ "Framing": "Syslog" }""", "<1>a\n<2>b", "GOT:<1>aGOT:<2>b", 2),
        new("syslog, a line that begins with a number", """{ "Framing": "Syslog" }""", "2024-11 x\n1x\n4 <2>b", "GOT:2024-11 xGOT:1xGOT:<2>b", 3),
    ];

    /// <summary>Each breaks the framing after one good message, which is answered.</summary>
    public static readonly EchoDialogue[] Violations =
    [
        new("a line that is too long", """{ "Framing": "Line", "MaxMessageBytes": 4 }""", "four\nfive!", "GOT:four", 1),
        new("a line that is cut off", """{ "Framing": "Line" }""", "one\ntwo", "GOT:one", 1),
        new("a length over the bound", """{ "Framing": "Length", "MaxMessageBytes": 4 }""", "\0\0\0\u0004four\0\0\0\u0005", "GOT:four", 1),
        new("half a header", """{ "Framing": "Length" }""", "\0\0\0\u0003one\0\0", "GOT:one", 1),
        new("half a message", """{ "Framing": "Length" }""", "\0\0\0\u0003one\0\0\0\u0003tw", "GOT:one", 1),
        new("a count over the bound", """{ "Framing": "Syslog", "MaxMessageBytes": 4 }""", "<1>a\n5 <", "GOT:<1>a", 1),
        new("a counted message that is cut off", """{ "Framing": "Syslog" }""", "<1>a\n5 <2>", "GOT:<1>a", 1),
    ];

    private static byte[] AllBytes => [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

    private static string Xs(int count) => new('x', count);
}

/// <summary>What a peer sends in one go, and all that comes back.</summary>
internal sealed record EchoDialogue(string Name, string Options, byte[] Sent, byte[] Answered, long Messages)
{
    public EchoDialogue(string name, string options, string sent, string answered, long messages)
        : this(name, options, Encoding.UTF8.GetBytes(sent), Encoding.UTF8.GetBytes(answered), messages)
    {
    }
}
