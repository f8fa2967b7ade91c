using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class FrameReaderPropertyTests
{
    // Bytes that mean something to a framing come up often enough to meet each other.
    private static readonly Gen<char> Octet = Gen.Frequency(
        (6, Gen.Elements('\r', '\n', '\0', ' ', '0', '1', '2', '9', '<', 'a', '\u00ff')),
        (3, Gen.Choose(0, 12).Select(value => (char)value)),
        (1, Gen.Choose(0, 255).Select(value => (char)value)));

    [Property(MaxTest = 9000, QuietOnSuccess = true)]
    public Property TryRead_ValidStreamInAnyParts_GivesItsMessages() =>
        Prop.ForAll(Arb.From(CasesOfEach(ValidStream)), sample =>
        {
            var read = Frames.Read(sample.Framing, sample.Max, sample.Parts);
            Assert.Null(read.Code);
            Assert.Empty(read.Rest);
            Assert.Equal(FrameModel.Read(sample.Framing, sample.Max, sample.Stream), read);
        });

    [Property(MaxTest = 9000, QuietOnSuccess = true)]
    public Property TryRead_RandomBytesInAnyParts_AgreesWithTheModel() =>
        Prop.ForAll(Arb.From(CasesOfEach(_ => _ => Text(40))), AgreesWithTheModel);

    [Property(MaxTest = 9000, QuietOnSuccess = true)]
    public Property TryRead_MutatedStreamInAnyParts_AgreesWithTheModel() =>
        Prop.ForAll(Arb.From(CasesOfEach(framing => max => ValidStream(framing)(max).SelectMany(Mutated))), AgreesWithTheModel);

    [Property(MaxTest = 3000, QuietOnSuccess = true)]
    public Property TryRead_ChunksInAnyParts_KeepsEveryByteAndTheBound() =>
        Prop.ForAll(Arb.From(Cases(Framing.Chunk, _ => Text(40))), sample =>
        {
            var read = Frames.Read(Framing.Chunk, sample.Max, sample.Parts);
            Assert.Equal(sample.Stream, string.Concat(read.Messages));
            Assert.All(read.Messages, message => Assert.InRange(message.Length, 1, sample.Max));
        });

    private static void AgreesWithTheModel(Sample sample)
    {
        var expected = FrameModel.Read(sample.Framing, sample.Max, sample.Stream);
        Assert.Equal(expected, Frames.Read(sample.Framing, sample.Max, sample.Parts));
        Assert.Equal(expected, Frames.ReadAtOnce(sample.Framing, sample.Max, sample.Parts));

        var completed = FrameModel.Read(sample.Framing, sample.Max, sample.Stream, isCompleted: true);
        IReadOnlyList<byte[]> parts = [.. sample.Parts, []];
        Assert.Equal(completed, Frames.Read(sample.Framing, sample.Max, parts, isCompleted: true));
        Assert.Equal(completed, Frames.ReadAtOnce(sample.Framing, sample.Max, parts, isCompleted: true));
    }

    private static Gen<string> Text(int longest) =>
        Gen.Choose(0, longest).SelectMany(length => Octet.ArrayOf(length)).Select(octets => new string(octets));

    private static Gen<Sample> CasesOfEach(Func<Framing, Func<int, Gen<string>>> stream) =>
        Gen.Elements(Framing.Line, Framing.Length, Framing.Syslog).SelectMany(framing => Cases(framing, stream(framing)));

    private static Gen<Sample> Cases(Framing framing, Func<int, Gen<string>> stream) =>
        from max in Gen.Choose(1, 12)
        from text in stream(max)
        from sizes in Gen.Choose(0, 5).ArrayOf(4)
        select new Sample(framing, max, text, [.. sizes, 1]);

    private static Func<int, Gen<string>> ValidStream(Framing framing) => max =>
        from count in Gen.Choose(0, 6)
        from messages in Text(max).SelectMany(message => Encoded(framing, message)).ArrayOf(count)
        select string.Concat(messages);

    private static Gen<string> Encoded(Framing framing, string message)
    {
        var line = message.Replace('\n', '.').TrimEnd('\r');
        var text = line.Replace('\0', '.');

        // Digits, a space and '<' at the start of a message are a count: a message of the other form begins without them.
        var trimmed = text.TrimStart("123456789".ToCharArray());
        var uncounted = text.Replace('<', '.');
        return framing switch
        {
            Framing.Line => Gen.Elements(line + "\n", line + "\r\n"),
            Framing.Length => Gen.Constant($"\0\0\0{(char)message.Length}{message}"),
            _ => Gen.Elements(
                message.Length == 0 ? "\r\n" : $"{message.Length} <{message[1..]}",
                trimmed + "\n",
                trimmed + "\0",
                uncounted + "\n",
                uncounted + "\0"),
        };
    }

    private static Gen<string> Mutated(string stream) =>
        from at in Gen.Choose(0, stream.Length)
        from removed in Gen.Choose(0, Math.Min(2, stream.Length - at))
        from inserted in Text(2)
        select stream.Remove(at, removed).Insert(at, inserted);

    private sealed record Sample(Framing Framing, int Max, string Stream, int[] Sizes)
    {
        public List<byte[]> Parts => Bytes.Chop(Bytes.Of(Stream), Sizes);

        public override string ToString() =>
            $"{Framing} max {Max} '{PeerText.Escape(Stream)}' in parts of {string.Join(',', Sizes)}";
    }
}
