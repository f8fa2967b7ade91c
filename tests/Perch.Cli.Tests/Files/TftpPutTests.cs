using System.Text.Json.Nodes;
using Perch.Cli.Tests.Hosting;
using Perch.Wire.Tftp;

namespace Perch.Cli.Tests.Files;

/// <summary><c>perch put tftp://</c>, and the verbs that TFTP does not know.</summary>
public sealed class TftpPutTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-");

    private string Local => Path.Combine(_folder.FullName, "file");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Put_WithEveryAcknowledgmentDoubled_SendsEachBlockOnce()
    {
        var bytes = Write(3 * 512);
        await using var peer = new TftpPeer(async peer =>
        {
            Assert.Equal(new TftpOptionSet { TransferSize = bytes.Length, BlockSize = 1428, WindowSize = 16, TimeoutSeconds = 20 }, (await peer.HearRequestAsync()).Options);
            await peer.SayAsync(TftpPeer.Acknowledgment(0), TftpPeer.Acknowledgment(0));
            for (var block = 1; block <= 4; block++)
            {
                await peer.HearAsync(TftpPeer.Data(block, block < 4 ? bytes[((block - 1) * 512)..(block * 512)] : []));
                await peer.SayAsync(TftpPeer.Acknowledgment(block), TftpPeer.Acknowledgment(block));
            }
        });
        var run = await CliRun.RunAsync("put", peer.Url("a"), Local, "--json", "--timeout", "20s");
        Assert.True(run.ExitCode == 0, run.Error);
        await peer.EndAsync();
        Assert.Equal(0, peer.Unread);
        Assert.Equal("stored", JsonNode.Parse(run.Output)!["outcome"]!.GetValue<string>());
    }

    [Fact]
    public async Task Put_WhereAWindowIsTakenInPart_SendsTheRestAgain()
    {
        var bytes = Write(36);
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Options(new() { BlockSize = 8, WindowSize = 3 }));
            for (var block = 1; block <= 3; block++) await peer.HearAsync(Packet(block));
            await peer.SayAsync(TftpPeer.Acknowledgment(1));
            for (var block = 2; block <= 4; block++) await peer.HearAsync(Packet(block));
            await peer.SayAsync(TftpPeer.Acknowledgment(4));
            await peer.HearAsync(Packet(5));
            await peer.SayAsync(TftpPeer.Acknowledgment(5));
        });
        Assert.Equal(0, (await CliRun.RunAsync("put", peer.Url("a"), Local, "--timeout", "20s")).ExitCode);
        await peer.EndAsync();
        Assert.Equal(0, peer.Unread);

        byte[] Packet(int block) => TftpPeer.Data(block, bytes[((block - 1) * 8)..Math.Min(block * 8, bytes.Length)]);
    }

    [Fact]
    public async Task Put_WhereBlocksAreLost_SendsThemAgain()
    {
        Write(1);
        await using var peer = new TftpPeer(async peer =>
        {
            for (var i = 0; i < 2; i++) await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Acknowledgment(0));
            for (var i = 0; i < 3; i++) Assert.Equal(TftpOpcode.Data, TftpPacket.OpcodeOf(await peer.HearAsync()));
            // None of these is the acknowledgement that is due.
            await peer.SayAsync(TftpPeer.Acknowledgment(2), TftpPeer.Acknowledgment(65535), TftpPeer.Data(1, 1), TftpPeer.Acknowledgment(1));
        });
        Assert.Equal(0, (await CliRun.RunAsync("put", peer.Url("a"), Local, "--timeout", "20ms")).ExitCode);
        await peer.EndAsync();
    }

    [Fact]
    public async Task Put_Refused_ShowsTheReasonEscaped()
    {
        Write(1);
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Error(6, "is\nthere"));
        });
        (await CliRun.RunAsync("put", peer.Url("dir/"), Local)).AssertFailed(ExitCode.Refused, @"dir/file: refused (exists): is\nthere");
    }

    [Fact]
    public async Task Put_OfABlockThatIsNeverAcknowledged_TimesOut()
    {
        Write(1);
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Acknowledgment(0));
        });
        (await CliRun.RunAsync("put", peer.Url("a"), Local, "--timeout", "20ms", "--retry", "1")).AssertFailed(ExitCode.TimedOut, "asked 2 times in 0.06 s");
    }

    [Fact]
    public async Task Stat_OfAServerThatTellsLengths_IsTheLength()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            Assert.Equal(new TftpOptionSet { TransferSize = 0 }, (await peer.HearRequestAsync()).Options);
            await peer.SayAsync(TftpPeer.Options(new() { TransferSize = 123_456 }));
            Assert.Equal(TftpOpcode.Error, TftpPacket.OpcodeOf(await peer.HearAsync()));
        });
        var run = await CliRun.RunAsync("stat", peer.Url("a"));
        Assert.Equal((0, "name      a\nlength    123456\n"), (run.ExitCode, run.Output));
        await peer.EndAsync();
    }

    [Fact]
    public async Task Stat_OfAServerThatTellsNone_SaysSo()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(1, new byte[512]));
        });
        (await CliRun.RunAsync("stat", peer.Url("a"))).AssertFailed(ExitCode.Refused, "no tsize");
    }

    [Fact]
    public async Task Stat_OfWhatIsNotThere_IsRefused()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Error(1, "nowhere"));
        });
        (await CliRun.RunAsync("stat", peer.Url("a"))).AssertFailed(ExitCode.Refused, "not-found");
    }

    [Theory]
    [InlineData("TFTP has no lists", "ls", "tftp://127.0.0.1:9/")]
    [InlineData("TFTP has no lists", "get", "tftp://127.0.0.1:9/dir/")]
    [InlineData("TFTP has no lists", "rm", "-r", "tftp://127.0.0.1:9/dir/")]
    [InlineData("TFTP cannot delete", "rm", "tftp://127.0.0.1:9/a")]
    [InlineData("no TLS over UDP", "get", "tftp://127.0.0.1:9/a", "--tls")]
    [InlineData("tftp:// is for files", "connect", "tftp://127.0.0.1:9")]
    [InlineData("tftp:// is for files", "bench", "tftp://127.0.0.1:9")]
    [InlineData("are for tftp://", "get", "files://127.0.0.1:9/a", "--blksize", "512")]
    [InlineData("are for tftp://", "put", "files://127.0.0.1:9/a", "x", "--windowsize", "4")]
    [InlineData("--blksize: '7' is not a whole number from 8 to 65464.", "get", "tftp://127.0.0.1:9/a", "--blksize", "7")]
    [InlineData("--windowsize: '0' is not a whole number from 1 to 65535.", "get", "tftp://127.0.0.1:9/a", "--windowsize", "0")]
    public async Task Verb_ThatTftpDoesNotKnow_IsAUsageError(string told, params string[] args) => (await CliRun.RunAsync(args)).AssertFailed(ExitCode.Usage, told);

    private byte[] Write(int length)
    {
        var bytes = new byte[length];
        new Random(length).NextBytes(bytes);
        File.WriteAllBytes(Local, bytes);
        return bytes;
    }
}
