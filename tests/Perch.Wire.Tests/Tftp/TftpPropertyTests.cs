using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Perch.Wire.Tftp;

namespace Perch.Wire.Tests.Tftp;

/// <summary>No bytes make the codec throw, read past its bounds, or say something that it would not say itself.</summary>
public sealed class TftpPropertyTests
{
    /// <summary>More with <c>PERCH_FUZZ</c>.</summary>
    private static readonly int Mutations = int.TryParse(Environment.GetEnvironmentVariable("PERCH_FUZZ"), out var count) ? count : 200_000;

    private static readonly byte[][] Seeds =
    [
        [0, 1, .. "boot/pxelinux.0\0octet\0tsize\00\0blksize\01428\0windowsize\064\0"u8],
        [0, 2, .. "a\0NetASCII\0timeout\05\0utimeout\010000\0multicast\0\0"u8],
        [0, 3, 0, 1, .. "data"u8],
        [0, 4, 255, 255],
        [0, 5, 0, 1, .. "not found\0"u8],
        [0, 6, .. "tsize\09223372036854775807\0blksize\065464\0"u8],
    ];

    private static readonly Gen<byte[]> Any = Gen.Choose(0, 600).SelectMany(count => Gen.Choose(0, 255).Select(b => (byte)b).ArrayOf(count));

    [Property(MaxTest = 2000, QuietOnSuccess = true)]
    public Property Read_RandomBytes_NeverThrows() => Prop.ForAll(Arb.From(Any), ReadAll);

    [Property(MaxTest = 2000, QuietOnSuccess = true)]
    public Property Read_RandomBytesBehindEachOpcode_NeverThrows() =>
        Prop.ForAll(Arb.From(Any.Zip(Gen.Choose(0, 7))), sample => ReadAll([0, (byte)sample.Item2, .. sample.Item1]));

    [Fact]
    public void Read_EverySeedCutAnywhere_NeverThrows()
    {
        foreach (var seed in Seeds)
        {
            for (var length = 0; length <= seed.Length; length++) ReadAll(seed[..length]);
        }
    }

    [Fact]
    public void Read_MutatedPackets_NeverThrows()
    {
        var random = new Random(7440);
        var buffer = new byte[4096];
        for (var i = 0; i < Mutations; i++)
        {
            var seed = Seeds[random.Next(Seeds.Length)];
            seed.CopyTo(buffer, 0);
            var length = seed.Length;
            for (var edits = random.Next(1, 6); edits > 0; edits--) length = Mutate(random, buffer, length);
            ReadAll(buffer.AsSpan(0, length));
        }
    }

    private static int Mutate(Random random, byte[] buffer, int length)
    {
        var at = random.Next(Math.Max(1, length));
        switch (random.Next(5))
        {
            case 0:
                buffer[at] = (byte)random.Next(256);
                return length;
            case 1:
                buffer[at] ^= (byte)(1 << random.Next(8));
                return length;
            case 2:
                return at;
            case 3:
                buffer[at] = (byte)"\0\0009:-"[random.Next(6)];
                return length;
            default:
                var (from, count) = (random.Next(Math.Max(1, length)), random.Next(1, 64));
                count = Math.Min(count, Math.Min(length - from, buffer.Length - length));
                if (count <= 0) return length;
                buffer.AsSpan(from, count).CopyTo(buffer.AsSpan(length));
                return length + count;
        }
    }

    private static void ReadAll(byte[] packet) => ReadAll(packet.AsSpan());

    private static void ReadAll(ReadOnlySpan<byte> packet)
    {
        var opcode = TftpPacket.OpcodeOf(packet);
        var isRequest = TftpRequest.TryParse(packet, out var request, out var fault);
        var isData = TftpPacket.TryReadData(packet, out _, out var data);
        var isAcknowledgment = TftpPacket.TryReadAcknowledgment(packet, out _);
        var isError = TftpPacket.TryReadError(packet, out _, out var text);
        var isOptions = TftpPacket.TryReadOptionAcknowledgment(packet, out var options);
        Check(!isRequest || (opcode is TftpOpcode.ReadRequest or TftpOpcode.WriteRequest && packet.Length <= TftpRequest.MaxBytes), packet);
        Check(isRequest || fault.Text.Length is > 0 and <= TftpPacket.MaxErrorTextBytes, packet);
        Check(!isData || (opcode == TftpOpcode.Data && data.Length == packet.Length - TftpPacket.HeaderBytes), packet);
        Check(!isAcknowledgment || opcode == TftpOpcode.Acknowledgment, packet);
        Check(!isError || (opcode == TftpOpcode.Error && !text.Contains((byte)0)), packet);
        if (request is not null)
        {
            Check(!request.Name.Span.Contains((byte)0), packet);
            CheckOptions(request.Options, packet);
        }

        if (isOptions) CheckOptions(options, packet);
    }

    private static void CheckOptions(TftpOptionSet options, ReadOnlySpan<byte> packet)
    {
        Check(options.BlockSize is null or (>= TftpOptionSet.MinBlockSize and <= TftpOptionSet.MaxBlockSize), packet);
        Check(options.WindowSize is null or (>= 1 and <= TftpOptionSet.MaxWindowSize), packet);
        Check(options.TimeoutSeconds is null or (>= 1 and <= 255), packet);
        Check(options.TimeoutMicroseconds is null or (>= 10_000 and <= 255_000_000), packet);
        Check(options.TransferSize is null or >= 0, packet);
        Span<byte> bytes = stackalloc byte[TftpPacket.MaxOptionAcknowledgmentBytes];
        Check(TftpPacket.TryReadOptionAcknowledgment(bytes[..TftpPacket.WriteOptionAcknowledgment(bytes, options)], out var again) && again == options, packet);
    }

    private static void Check(bool holds, ReadOnlySpan<byte> packet)
    {
        if (!holds) Assert.Fail($"{Encoding.Latin1.GetString(packet)} ({Convert.ToHexString(packet)})");
    }
}
