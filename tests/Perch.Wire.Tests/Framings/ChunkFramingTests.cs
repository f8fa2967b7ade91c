using System.Buffers;
using Perch.Wire.Framings;

namespace Perch.Wire.Tests.Framings;

public sealed class ChunkFramingTests
{
    [Theory]
    [InlineData("a", "a", "")]
    [InlineData("abc", "abc", "")]
    [InlineData("abcd", "abc", "d")]
    [InlineData("abc\ndef", "abc", "\ndef")]
    public void TryRead_Bytes_CutsAtTheBound(string stream, string expected, string rest)
    {
        foreach (var buffer in new[] { new(Bytes.Of(stream)), Bytes.Sequence(Bytes.Chop(Bytes.Of(stream), 0, 1)) })
        {
            var unread = buffer;
            Assert.True(ChunkFraming.TryRead(ref unread, 3, out var message));
            Assert.Equal(expected, Bytes.Text(message));
            Assert.Equal(rest, Bytes.Text(unread));
        }
    }

    [Fact]
    public void TryRead_NothingThere_IsFalse()
    {
        var empty = ReadOnlySequence<byte>.Empty;
        Assert.False(ChunkFraming.TryRead(ref empty, 3, out _));
        var emptySegments = Bytes.Sequence([], []);
        Assert.False(ChunkFraming.TryRead(ref emptySegments, 3, out _));
    }

    [Fact]
    public void TryRead_BoundOfZero_Throws()
    {
        var buffer = new ReadOnlySequence<byte>(Bytes.Of("a"));
        Assert.Throws<ArgumentOutOfRangeException>(() => ChunkFraming.TryRead(ref buffer, 0, out _));
    }
}
