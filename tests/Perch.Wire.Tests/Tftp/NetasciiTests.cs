using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Perch.Wire.Tftp;

namespace Perch.Wire.Tests.Tftp;

public sealed class NetasciiTests
{
    private static readonly Gen<byte[]> Text = Gen.Choose(0, 40).SelectMany(count => Gen.OneOf(Gen.Elements((byte)'\r', (byte)'\n', (byte)0), Gen.Choose(0, 255).Select(b => (byte)b)).ArrayOf(count));

    [Theory]
    [InlineData("", "")]
    [InlineData("a\nb", "a\r\nb")]
    [InlineData("a\rb", "a\r\0b")]
    [InlineData("\r\n", "\r\0\r\n")]
    [InlineData("\n\n", "\r\n\r\n")]
    public void Encode_LineEnds_BecomePairs(string local, string wire)
    {
        Assert.Equal(wire, Encoding.Latin1.GetString(Encode(Encoding.Latin1.GetBytes(local), 512)));
        Assert.Equal(local, Encoding.Latin1.GetString(Decode(Encoding.Latin1.GetBytes(wire), 512)));
    }

    [Theory]
    [InlineData("a\rb", "a\rb")]
    [InlineData("a\r\rb", "a\r\rb")]
    [InlineData("a\r", "a\r")]
    [InlineData("a\r\r\n", "a\r\n")]
    [InlineData("a\nb", "a\nb")]
    public void Decode_WhatNobodyShouldSend_StaysAsItCame(string wire, string local) => Assert.Equal(local, Encoding.Latin1.GetString(Decode(Encoding.Latin1.GetBytes(wire), 512)));

    [Property(MaxTest = 3000, QuietOnSuccess = true)]
    public Property Encode_AnyBytesInAnyBlocks_IsOneTextAndIsReadBack() =>
        Prop.ForAll(Arb.From(Text.Zip(Gen.Choose(1, 9)).Zip(Gen.Choose(1, 9))), sample =>
        {
            var ((local, block), other) = sample;
            var wire = Encode(local, 512);
            Assert.Equal(wire, Encode(local, block));
            Assert.Equal(local, Decode(wire, block));
            Assert.Equal(local, Decode(wire, other));
        });

    private static byte[] Encode(byte[] local, int block)
    {
        var encoder = new NetasciiEncoder();
        var (wire, destination) = (new List<byte>(), new byte[block]);
        var source = local.AsSpan();
        do
        {
            // What is given in two pieces is encoded as if it were one.
            encoder.Encode(source[..((source.Length + 1) / 2)], destination, out var consumed, out var written);
            Assert.True(consumed > 0 || written > 0 || source.IsEmpty);
            source = source[consumed..];
            wire.AddRange(destination.AsSpan(0, written));
        }
        while (!source.IsEmpty || !encoder.IsFlushed);
        return [.. wire];
    }

    private static byte[] Decode(byte[] wire, int block)
    {
        var decoder = new NetasciiDecoder();
        var local = new List<byte>();
        foreach (var chunk in wire.Chunk(block))
        {
            var destination = new byte[chunk.Length + 1];
            local.AddRange(destination.AsSpan(0, decoder.Decode(chunk, destination)));
        }

        var end = new byte[1];
        local.AddRange(end.AsSpan(0, decoder.Finish(end)));
        return [.. local];
    }
}
