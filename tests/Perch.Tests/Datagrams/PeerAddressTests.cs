using System.Net;
using Perch.Datagrams;
using Perch.Linux;

namespace Perch.Tests.Datagrams;

public sealed class PeerAddressTests
{
    [Theory]
    [InlineData("192.0.2.7:514")]
    [InlineData("[2001:db8::1]:6969")]
    [InlineData("[fe80::1%3]:53")]
    public void ToString_OfAnEndPoint_IsTheSame(string text) => Assert.Equal(text, new PeerAddress(IPEndPoint.Parse(text)).ToString());

    [Fact]
    public void Equals_IPv4OnASocketForBoth_IsTheSameKey()
    {
        var (plain, mapped) = (new PeerAddress(IPEndPoint.Parse("192.0.2.7:514")), new PeerAddress(IPEndPoint.Parse("[::ffff:192.0.2.7]:514")));

        Assert.Equal(plain, mapped);
        Assert.Equal(plain.GetHashCode(), mapped.GetHashCode());
        Assert.True(mapped.IsIPv4);
    }

    [Theory]
    [InlineData("192.0.2.7:515")]
    [InlineData("192.0.2.8:514")]
    [InlineData("[2001:db8::1]:514")]
    public void Equals_AnotherPeer_IsAnotherKey(string other) =>
        Assert.NotEqual(new PeerAddress(IPEndPoint.Parse("192.0.2.7:514")), new PeerAddress(IPEndPoint.Parse(other)));

    [Theory]
    [InlineData("192.0.2.7:514", false)]
    [InlineData("192.0.2.7:514", true)]
    [InlineData("[2001:db8::1]:6969", true)]
    [InlineData("[fe80::1%3]:53", true)]
    public unsafe void Codec_NameWrittenAndRead_IsTheSamePeer(string text, bool asIPv6)
    {
        var peer = new PeerAddress(IPEndPoint.Parse(text));
        var name = stackalloc byte[SocketAddressCodec.MostNameBytes];

        var length = SocketAddressCodec.WriteName(name, peer, asIPv6);

        // What .NET makes of it is what the system understands.
        var address = asIPv6 ? peer.Address.MapToIPv6() : peer.Address;
        var serialized = new IPEndPoint(address, peer.Port).Serialize();
        Assert.Equal(serialized.Buffer.Span[..serialized.Size], new ReadOnlySpan<byte>(name, (int)length));
        Assert.True(SocketAddressCodec.TryReadName(name, length, out var read));
        Assert.Equal(peer, read);
    }

    [Fact]
    public unsafe void Layouts_OfTheSystemCalls_AreThoseOf64BitLinux()
    {
        Assert.Equal(64, sizeof(NativeDatagrams.MessageHeader));
        Assert.Equal(16, sizeof(NativeDatagrams.Buffer));
        Assert.Equal(16, sizeof(NativeDatagrams.ControlHeader));
        NativeDatagrams.MessageHeader header;
        Assert.Equal(56, (byte*)&header.Length - (byte*)&header);
        Assert.Equal(48, (byte*)&header.Flags - (byte*)&header);
        Assert.Equal(16, (byte*)&header.Buffers - (byte*)&header);
    }
}
