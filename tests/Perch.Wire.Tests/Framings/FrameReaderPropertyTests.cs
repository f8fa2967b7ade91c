using FsCheck;
using FsCheck.Fluent;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class FrameReaderPropertyTests
{
    private const int Count = 3000;

    // Bytes that mean something to a framing come up often enough to meet each other.
    private static readonly Gen<char> Octet = Gen.Frequency(
        (6, Gen.Elements('\r', '\n', '\0', ' ', '0', '1', '2', '9', '<', 'a', '\u00ff')),
        (3, Gen.Choose(0, 12).Select(value => (char)value)),
        (1, Gen.Choose(0, 255).Select(value => (char)value)));

    [Theory]
    [InlineData(Framing.Line)]
    [InlineData(Framing.Length)]
    [InlineData(Framing.Syslog)]
    public void TryRead_ValidStreamInAnyParts_GivesItsMessages(Framing framing) =>
        Properties.ForAll(Cases(framing, ValidStream(framing)), Count, sample =>
        {
            var read = Frames.Read(framing, sample.Max, sample.Parts);
            Assert.Null(read.Code);
            Assert.Empty(read.Rest);
            Assert.Equal(FrameModel.Read(framing, sample.Max, sample.Stream), read);
        });

    [Theory]
    [InlineData(Framing.Line)]
    [InlineData(Framing.Length)]
    [InlineData(Framing.Syslog)]
    public void TryRead_RandomBytesInAnyParts_AgreesWithTheModel(Framing framing) =>
        Properties.ForAll(Cases(framing, _ => Text(40)), Count, AgreesWithTheModel);

    [Theory]
    [InlineData(Framing.Line)]
    [InlineData(Framing.Length)]
    [InlineData(Framing.Syslog)]
    public void TryRead_MutatedStreamInAnyParts_AgreesWithTheModel(Framing framing) =>
        Properties.ForAll(Cases(framing, max => ValidStream(framing)(max).SelectMany(Mutated)), Count, AgreesWithTheModel);

    [Fact]
    public void TryRead_ChunksInAnyParts_KeepsEveryByteAndTheBound() =>
        Properties.ForAll(Cases(Framing.Chunk, _ => Text(40)), Count, sample =>
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
        return framing switch
        {
            Framing.Line => Gen.Elements(line + "\n", line + "\r\n"),
            Framing.Length => Gen.Constant($"\0\0\0{(char)message.Length}{message}"),
            _ => Gen.Elements(
                message.Length == 0 ? "\r\n" : $"{message.Length} <{message[1..]}",
                text.TrimStart("123456789".ToCharArray()) + "\n",
                text + "\0",
                text.Replace('<', '.') + "\n"),
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
