using System.Buffers;
using System.Globalization;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Perch.Wire.Files;

namespace Perch.Wire.Tests.Files;

public sealed class FileCommandTests
{
    private const string Hash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    private static readonly string[] Words =
    [
        "PUT", "GET", "STAT", "LIST", "DELETE", "QUIT", " ", " ", "a", "写", "offset=", "length=", "limit=", "after=", "sha256=", Hash,
        "0", "7", "-", "..", "/", "\0", "\n", "\r", "9223372036854775807",
    ];

    /// <summary>A line, and the command in its own words: see <see cref="Tell"/>.</summary>
    public static TheoryData<string, string> Good => new()
    {
        { "PUT a 0", "Put a of 0 from 0" },
        { "PUT photo.jpg 9223372036854775807", "Put photo.jpg of 9223372036854775807 from 0" },
        { "PUT my holiday photo.jpg 12", "Put my holiday photo.jpg of 12 from 0" },
        { "PUT a 12 offset=12", "Put a of 12 from 12" },
        { "PUT a 12 offset=3 sha256=" + Hash, "Put a of 12 from 3 hashed " + Hash },
        { "PUT a 12 sha256=" + Hash.ToUpperInvariant() + " offset=3", "Put a of 12 from 3 hashed " + Hash },
        { "PUT 1 2", "Put 1 of 2 from 0" },
        { "PUT a offset=1 2", "Put a offset=1 of 2 from 0" },
        { "PUT 写真/夏.jpg 7", "Put 写真/夏.jpg of 7 from 0" },
        { "PUT ../a 7", "Put (no segment of a name begins with a dot) of 7 from 0" },
        { "PUT a\0b 7", "Put (a name has no control characters) of 7 from 0" },
        { "GET a", "Get a from 0" },
        { "GET a b offset=5", "Get a b from 5" },
        { "GET a length=5 offset=6", "Get a of 5 from 6" },
        { "GET a length=0", "Get a of 0 from 0" },
        { "GET a limit=5", "Get a limit=5 from 0" },
        { "GET /a", "Get (a name has no empty segment, and no slash at its begin or end) from 0" },
        { "STAT a b", "Stat a b from 0" },
        { "STAT a offset=1", "Stat a offset=1 from 0" },
        { "DELETE a", "Delete a from 0" },
        { "DELETE  a", "Delete  a from 0" },
        { "LIST", "List [] after [] limit 1000" },
        { "LIST photos/", "List [photos/] after [] limit 1000" },
        { "LIST my photos after=my photos/a limit=7", "List [my photos] after [my photos/a] limit 7" },
        { "LIST after=a", "List [] after [a] limit 1000" },
        { "LIST limit=1", "List [] after [] limit 1" },
        { "LIST limit=1 after=a", "List [limit=1] after [a] limit 1000" },
        { "LIST ../", "List (no segment of a name begins with a dot)" },
        { "LIST a after=../b", "List (no segment of a name begins with a dot)" },
        { "QUIT", "Quit from 0" },
    };

    public static TheoryData<string> Bad => new(
        " ", "PUT", "PUT ", "PUT a", "PUT 5", "PUT a -1", "PUT a +1", "PUT a 1.0", "PUT a 0x10", "PUT a 1 ", "PUT a 9223372036854775808", "PUT a 99999999999999999999",
        "PUT a １", "PUT a 1 offset=2", "PUT a 1 offset=", "PUT a 1 offset=-1", "PUT a 1 offset=0 offset=0", "PUT a 1 sha256=abc", "PUT a 1 sha256=" + Hash + "0",
        "PUT a 1 sha256=" + Hash[1..] + "g", "PUT a 1 sha256=" + Hash + " sha256=" + Hash, "PUT a 1 length=1", "PUT\ta 1", "put a 1", "GET", "GET ", "GET offset=1", "GET a offset=x",
        "GET a offset=-1", "GET a length=9223372036854775808", "STAT", "DELETE ", "LIST limit=0", "LIST limit=1001", "LIST limit=x", "LIST a after=", "LISTING", "QUIT now", "QUIT ",
        "HELO", "\0", "GET\0 a", "\u00ff\u00fe");

    [Theory]
    [MemberData(nameof(Good))]
    public void Parse_GoodLine_IsTheCommand(string line, string expected) => Assert.Equal(expected, Tell(FileCommand.Parse(Encoding.UTF8.GetBytes(line))));

    [Theory]
    [MemberData(nameof(Bad))]
    public void Parse_BadLine_IsMalformed(string line) =>
        Assert.Equal("malformed", Assert.Throws<ProtocolException>(() => FileCommand.Parse(Encoding.UTF8.GetBytes(line))).Code);

    [Fact]
    public void Parse_OverlongUtf8InTheName_IsANameFaultAndTheLengthIsKnown()
    {
        var command = FileCommand.Parse([.. "PUT "u8, 0xC0, 0xAE, 0xC0, 0xAE, .. "/x 5"u8]);
        Assert.Equal("a name is valid UTF-8", command.NameFault);
        Assert.Equal(5, command.PayloadBytes);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void Write_ParsedCommand_IsReadAsTheSame(string line, string expected)
    {
        var command = FileCommand.Parse(Encoding.UTF8.GetBytes(line));
        if (command.NameFault is not null) return;
        var output = new ArrayBufferWriter<byte>();
        command.Write(output);
        var buffer = new ReadOnlySequence<byte>(output.WrittenMemory);
        long scanned = 0;
        Assert.True(FileCommand.TryRead(ref buffer, ref scanned, out var read));
        Assert.Equal(expected, Tell(read!));
        Assert.True(buffer.IsEmpty);
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void TryRead_LineInEveryTwoParts_IsTheCommand(string line, string expected)
    {
        var bytes = Encoding.UTF8.GetBytes(line + "\r\nQUIT\n");
        for (var cut = 0; cut <= bytes.Length; cut++) Assert.Equal([expected, "Quit from 0"], Read([bytes[..cut], bytes[cut..]]));
    }

    [Theory]
    [MemberData(nameof(Good))]
    public void TryRead_OneByteAtATime_IsTheCommand(string line, string expected) =>
        Assert.Equal(["Quit from 0", expected], Read(Bytes.Chop(Encoding.UTF8.GetBytes("\nQUIT\n\r\n" + line + "\n\n"), 1)));

    [Theory]
    [InlineData(4096, true)]
    [InlineData(4097, false)]
    public void TryRead_LineOfSuchLength_IsBounded(int length, bool fits)
    {
        var line = "STAT ".PadRight(length, 'a');
        var read = Read([Bytes.Of(line), Bytes.Of("\n")]);
        Assert.Equal(fits ? "Stat (a name has at most 1024 bytes) from 0" : "too-long", Assert.Single(read));
    }

    [Property(MaxTest = 5000, QuietOnSuccess = true)]
    public Property TryRead_RandomLines_GiveACommandOrAProtocolError() =>
        Prop.ForAll(Arb.From(Gen.Elements(Words).ArrayOf().Select(string.Concat)), text => Understood(Encoding.UTF8.GetBytes(text + "\n")));

    [Property(MaxTest = 5000, QuietOnSuccess = true)]
    public Property TryRead_MutatedLines_GiveACommandOrAProtocolError() =>
        Prop.ForAll(
            Arb.From(
                from line in Gen.Elements(((IEnumerable<object[]>)Good).Select(row => (string)row[0]).ToArray())
                from at in Gen.Choose(0, 200)
                from value in Gen.Choose(0, 255)
                from insert in Gen.Elements(true, false)
                select Mutate(line + "\n", at, (byte)value, insert)),
            Understood);

    private static byte[] Mutate(string line, int at, byte value, bool insert)
    {
        var bytes = Encoding.UTF8.GetBytes(line).ToList();
        at %= bytes.Count;
        if (insert) bytes.Insert(at, value);
        else bytes[at] = value;
        return [.. bytes];
    }

    /// <summary>However it is cut it is understood the same way, and what comes out keeps the bounds.</summary>
    private static void Understood(byte[] stream)
    {
        var whole = Read([stream]);
        Assert.Equal(whole, Read(Bytes.Chop(stream, 1)));
        Assert.Equal(whole, Read(Bytes.Chop(stream, 3, 7)));
    }

    /// <summary>Feeds the stream as a pipe does.</summary>
    private static List<string> Read(IEnumerable<byte[]> parts)
    {
        var told = new List<string>();
        var unread = default(ReadOnlySequence<byte>);
        long scanned = 0;
        foreach (var part in parts)
        {
            unread = Bytes.Sequence([.. unread.IsEmpty ? [] : new[] { unread.ToArray() }, part]);
            try
            {
                while (FileCommand.TryRead(ref unread, ref scanned, out var command))
                {
                    told.Add(Tell(command!));
                    Assert.InRange(command!.Offset, 0, command.Verb == FileVerb.Put ? command.Length!.Value : long.MaxValue);
                    Assert.InRange(command.PayloadBytes, 0, long.MaxValue);
                    Assert.InRange(command.Limit, 1, FileCommand.MaxLimit);
                    Assert.True(command.Verb is FileVerb.Quit or FileVerb.List || command.Name is null != command.NameFault is null);
                }
            }
            catch (ProtocolException exception)
            {
                told.Add(exception.Code);
                return told;
            }

            Assert.InRange(unread.Length, 0, FileCommand.MaxLineBytes + 1);
        }

        return told;
    }

    private static string Tell(FileCommand command)
    {
        var name = command.NameFault is { } fault ? $" ({fault})" : command.Name is null ? "" : $" {command.Name}";
        if (command.Verb == FileVerb.List) return command.NameFault is null ? $"List [{command.Prefix}] after [{command.After}] limit {command.Limit}" : $"List{name}";
        var length = command.Length is { } bytes ? string.Create(CultureInfo.InvariantCulture, $" of {bytes}") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{command.Verb}{name}{length} from {command.Offset}{(command.Sha256 is null ? "" : " hashed ")}{command.Sha256}");
    }
}
