using System.Text;
using Perch.Wire.Tftp;

namespace Perch.Wire.Tests.Tftp;

public sealed class TftpRequestTests
{
    /// <summary>What stands behind the opcode, and the options as <see cref="TftpOptionSet"/> writes them.</summary>
    public static TheoryData<string, string> Options => new()
    {
        { "", "" },
        { "blksize\01428\0", "blksize 1428" },
        { "BLKSIZE\08\0", "blksize 8" },
        { "blksize\07\0", "" },
        { "blksize\065464\0", "blksize 65464" },
        { "blksize\065535\0", "blksize 65464" },
        { "blksize\099999999999999999999\0", "" },
        { "blksize\0-1\0", "" },
        { "blksize\0 512\0", "" },
        { "blksize\0512x\0", "" },
        { "blksize\0\0", "" },
        { "timeout\01\0", "timeout 1" },
        { "timeout\0255\0", "timeout 255" },
        { "timeout\00\0", "" },
        { "timeout\0256\0", "" },
        { "utimeout\010000\0", "utimeout 10000" },
        { "utimeout\09999\0", "" },
        { "tsize\00\0", "tsize 0" },
        { "TSize\09223372036854775807\0", "tsize 9223372036854775807" },
        { "tsize\09223372036854775808\0", "" },
        { "windowsize\01\0", "windowsize 1" },
        { "windowsize\065535\0", "windowsize 65535" },
        { "windowsize\00\0", "" },
        { "windowsize\065536\0", "" },
        { "multicast\0\0blksize\01024\0", "blksize 1024" },
        { "x\0y\0z\0\0tsize\00\0", "tsize 0" },
        { "\0\0\0\0", "" },
        { "blksize\0512\0\0\0\0garbage", "blksize 512" },
        { "windowsize\064\0blksize\01428\0tsize\00\0timeout\05\0", "tsize 0 blksize 1428 timeout 5 windowsize 64" },
    };

    public static TheoryData<string, TftpErrorCode> Malformed => new()
    {
        { "", TftpErrorCode.IllegalOperation },
        { "file", TftpErrorCode.IllegalOperation },
        { "file\0", TftpErrorCode.IllegalOperation },
        { "file\0octet", TftpErrorCode.IllegalOperation },
        { "file\0\0", TftpErrorCode.IllegalOperation },
        { "file\0mail\0", TftpErrorCode.IllegalOperation },
        { "file\0octets\0", TftpErrorCode.IllegalOperation },
        { "file\0octet\0blksize\0512\0BlkSize\0512\0", TftpErrorCode.OptionRefused },
        { new string('a', TftpRequest.MaxBytes), TftpErrorCode.IllegalOperation },
    };

    [Theory]
    [InlineData("octet", TftpMode.Octet)]
    [InlineData("OCTET", TftpMode.Octet)]
    [InlineData("oCtEt", TftpMode.Octet)]
    [InlineData("netascii", TftpMode.Netascii)]
    [InlineData("NetASCII", TftpMode.Netascii)]
    public void TryParse_ModeInAnyCase_IsKnown(string text, TftpMode mode)
    {
        foreach (var isWrite in (bool[])[false, true])
        {
            Assert.True(TftpRequest.TryParse(Packet(isWrite, $"boot/a b\0{text}\0"), out var request, out _));
            Assert.Equal((isWrite, "boot/a b", mode), (request.IsWrite, Encoding.UTF8.GetString(request.Name.Span), request.Mode));
            Assert.Equal(TftpOptionSet.None, request.Options);
        }
    }

    [Theory]
    [MemberData(nameof(Options))]
    public void TryParse_Options_KeepsThoseThatCanBe(string options, string kept)
    {
        Assert.True(TftpRequest.TryParse(Packet(isWrite: false, $"f\0octet\0{options}"), out var request, out var fault), fault.Text);
        var bytes = new byte[TftpPacket.MaxOptionAcknowledgmentBytes];
        var length = request.Options.Write(bytes);
        Assert.Equal(kept, Encoding.ASCII.GetString(bytes, 0, length).TrimEnd('\0').Replace('\0', ' '));
        // It is read back as it was written.
        Assert.True(TftpOptionSet.TryParse(bytes.AsSpan(0, length), out var again, out _));
        Assert.Equal(request.Options, again);
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void TryParse_Malformed_NamesTheRule(string rest, TftpErrorCode code)
    {
        Assert.False(TftpRequest.TryParse(Packet(isWrite: false, rest), out var request, out var fault));
        Assert.Null(request);
        Assert.Equal(code, fault.Code);
        Assert.NotEmpty(fault.Text);
    }

    /// <summary>RFC 2347: an option that cannot be used is as if it had not been sent. An OACK cannot be read so: its sender has accepted the option.</summary>
    [Theory]
    [InlineData("blksize")]
    [InlineData("blksize\0")]
    [InlineData("blksize\0512")]
    public void TryParse_PairThatIsCutOff_IsNotSaidInARequestAndMalformedInAnOack(string pair)
    {
        Assert.True(TftpRequest.TryParse(Packet(isWrite: false, $"file\0octet\0tsize\00\0{pair}"), out var request, out _));
        Assert.Equal(new TftpOptionSet { TransferSize = 0 }, request.Options);
        Assert.False(TftpPacket.TryReadOptionAcknowledgment([0, 6, .. Encoding.ASCII.GetBytes($"tsize\00\0{pair}")], out _));
    }

    [Fact]
    public void TryParse_OtherOpcode_IsNoRequest()
    {
        for (var opcode = 0; opcode < 256; opcode++)
        {
            byte[] packet = [0, (byte)opcode, .. "f\0octet\0"u8];
            Assert.Equal(opcode is 1 or 2, TftpRequest.TryParse(packet, out _, out _));
            packet[0] = 1;
            Assert.False(TftpRequest.TryParse(packet, out _, out _));
        }
    }

    [Fact]
    public void TryParse_EmptyName_IsTheServersToRefuse()
    {
        Assert.True(TftpRequest.TryParse(Packet(isWrite: false, "\0octet\0"), out var request, out _));
        Assert.True(request.Name.IsEmpty);
    }

    [Fact]
    public void Write_EveryOption_IsReadBack()
    {
        var options = new TftpOptionSet { BlockSize = 65464, TimeoutSeconds = 255, TimeoutMicroseconds = 255_000_000, TransferSize = long.MaxValue, WindowSize = 65535 };
        var request = new TftpRequest(IsWrite: true, "夏.bin"u8.ToArray(), TftpMode.Netascii, options);
        var bytes = new byte[160 + request.Name.Length];
        Assert.True(TftpRequest.TryParse(bytes.AsSpan(0, request.Write(bytes)), out var again, out _));
        Assert.Equal(request.Options, again.Options);
        Assert.Equal((request.IsWrite, request.Mode), (again.IsWrite, again.Mode));
        Assert.Equal(request.Name.ToArray(), again.Name.ToArray());
    }

    private static byte[] Packet(bool isWrite, string rest) => [0, (byte)(isWrite ? 2 : 1), .. Encoding.UTF8.GetBytes(rest)];
}
