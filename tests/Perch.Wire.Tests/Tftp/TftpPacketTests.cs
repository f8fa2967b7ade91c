using System.Text;
using Perch.Wire.Tftp;

namespace Perch.Wire.Tests.Tftp;

public sealed class TftpPacketTests
{
    [Theory]
    [InlineData("", TftpOpcode.None)]
    [InlineData("00", TftpOpcode.None)]
    [InlineData("0000", TftpOpcode.None)]
    [InlineData("0001", TftpOpcode.ReadRequest)]
    [InlineData("0006", TftpOpcode.OptionAcknowledgment)]
    [InlineData("0007", TftpOpcode.None)]
    [InlineData("0103", TftpOpcode.None)]
    [InlineData("0300", TftpOpcode.None)]
    public void OpcodeOf_TwoBytes_AreBigEndian(string hex, TftpOpcode opcode) => Assert.Equal(opcode, TftpPacket.OpcodeOf(Convert.FromHexString(hex)));

    [Theory]
    [InlineData("00030001", 1, "")]
    [InlineData("0003FFFF4142", 65535, "AB")]
    [InlineData("0003000000", 0, "\0")]
    public void TryReadData_Whole_HasNumberAndBytes(string hex, int block, string data)
    {
        Assert.True(TftpPacket.TryReadData(Convert.FromHexString(hex), out var read, out var bytes));
        Assert.Equal((block, data), (read, Encoding.ASCII.GetString(bytes)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("0003")]
    [InlineData("000300")]
    [InlineData("00040001")]
    [InlineData("01030001")]
    public void TryReadData_ShortOrOther_IsNone(string hex) => Assert.False(TftpPacket.TryReadData(Convert.FromHexString(hex), out _, out _));

    [Theory]
    [InlineData("00040001", 1)]
    [InlineData("0004FFFF00", 65535)]
    public void TryReadAcknowledgment_WithOrWithoutPadding_HasTheNumber(string hex, int block)
    {
        Assert.True(TftpPacket.TryReadAcknowledgment(Convert.FromHexString(hex), out var read));
        Assert.Equal(block, read);
        Assert.False(TftpPacket.TryReadAcknowledgment(Convert.FromHexString(hex).AsSpan(0, 3), out _));
    }

    [Theory]
    [InlineData("0005000141420043", 1, "AB")]
    [InlineData("000500014142", 1, "AB")]
    [InlineData("0005FFFF", 65535, "")]
    public void TryReadError_WithOrWithoutNul_HasCodeAndText(string hex, int code, string text)
    {
        Assert.True(TftpPacket.TryReadError(Convert.FromHexString(hex), out var read, out var bytes));
        Assert.Equal((code, text), (read, Encoding.ASCII.GetString(bytes)));
    }

    [Fact]
    public void WriteError_LongOrForeignText_IsCutAndAscii()
    {
        var bytes = new byte[TftpPacket.HeaderBytes + TftpPacket.MaxErrorTextBytes + 1];
        Assert.Equal(bytes.Length, TftpPacket.WriteError(bytes, TftpErrorCode.DiskFull, "é\n" + new string('x', 1000)));
        Assert.Equal("00050003"u8.ToArray(), Encoding.ASCII.GetBytes(Convert.ToHexString(bytes.AsSpan(0, 4))));
        Assert.Equal("?\n" + new string('x', 126) + "\0", Encoding.ASCII.GetString(bytes.AsSpan(4)));
    }

    [Fact]
    public void Write_AcknowledgmentAndHeader_AreWhatTheRfcDraws()
    {
        var bytes = new byte[4];
        TftpPacket.WriteAcknowledgment(bytes, 0xABCD);
        Assert.Equal("0004ABCD", Convert.ToHexString(bytes));
        TftpPacket.WriteDataHeader(bytes, 1);
        Assert.Equal("00030001", Convert.ToHexString(bytes));
    }

    [Fact]
    public void WriteOptionAcknowledgment_Everything_FitsAndIsReadBack()
    {
        var options = new TftpOptionSet { BlockSize = 65464, TimeoutSeconds = 255, TimeoutMicroseconds = 255_000_000, TransferSize = long.MaxValue, WindowSize = 65535 };
        var bytes = new byte[TftpPacket.MaxOptionAcknowledgmentBytes];
        var length = TftpPacket.WriteOptionAcknowledgment(bytes, options);
        Assert.True(TftpPacket.TryReadOptionAcknowledgment(bytes.AsSpan(0, length), out var again));
        Assert.Equal(options, again);
        Assert.False(TftpPacket.TryReadOptionAcknowledgment(bytes.AsSpan(0, length - 1), out _));
    }
}
