using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Perch.Cli.Tests.Hosting;
using Perch.Wire.Tftp;

namespace Perch.Cli.Tests.Files;

/// <summary><c>perch get tftp://</c> and servers that know little, lose much or mean harm.</summary>
public sealed class TftpGetTests : IDisposable
{
    private const string Held = "what was there before";

    private static readonly byte[] Block = [.. Enumerable.Range(0, 512).Select(i => (byte)i)];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-");

    private string Local => Path.Combine(_folder.FullName, "file");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Get_FromAServerWithoutOptions_IsTheFileAndItsHash()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            var request = await peer.HearRequestAsync();
            Assert.Equal("dir/name", System.Text.Encoding.UTF8.GetString(request.Name.Span));
            Assert.Equal(new TftpOptionSet { TransferSize = 0, BlockSize = 1428, WindowSize = 16 }, request.Options);
            await peer.SayAsync(TftpPeer.Data(1, Block));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            await peer.SayAsync(TftpPeer.Data(2, 1, 2, 3));
            await peer.HearAsync(TftpPeer.Acknowledgment(2));
        });
        var run = await GetAsync(peer, "dir/name", "--json");
        Assert.True(run.ExitCode == 0, run.Error);
        await peer.EndAsync();
        byte[] all = [.. Block, 1, 2, 3];
        Assert.Equal(all, await File.ReadAllBytesAsync(Local));
        var told = JsonNode.Parse(run.Output)!;
        Assert.Equal(("fetched", 515L, Convert.ToHexStringLower(SHA256.HashData(all))), (told["outcome"]!.GetValue<string>(), told["length"]!.GetValue<long>(), told["sha256"]!.GetValue<string>()));
        Assert.Single(_folder.GetFiles());
    }

    [Fact]
    public async Task Get_WithRfc1350sValues_AsksForTheLengthAlone()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            Assert.Equal(new TftpOptionSet { TransferSize = 0 }, (await peer.HearRequestAsync()).Options);
            await peer.SayAsync(TftpPeer.Options(new() { TransferSize = 1 }));
            await peer.HearAsync(TftpPeer.Acknowledgment(0));
            await peer.SayAsync(TftpPeer.Data(1, 7));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
        });
        Assert.Equal(0, (await GetAsync(peer, "a", "--blksize", "512", "--windowsize", "1")).ExitCode);
        await peer.EndAsync();
    }

    [Fact]
    public async Task Get_WhereOptionsAreRefused_AsksWithoutThem()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Error(8, "no options here"));
            Assert.Equal(TftpOptionSet.None, (await peer.HearRequestAsync()).Options);
            await peer.SayAsync(TftpPeer.Data(1, 7));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
        });
        Assert.Equal(0, (await GetAsync(peer)).ExitCode);
        await peer.EndAsync();
    }

    [Fact]
    public async Task Get_WhereABlockOfAWindowIsLost_SaysSoOnce()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Options(new() { BlockSize = 8, WindowSize = 4 }));
            await peer.HearAsync(TftpPeer.Acknowledgment(0));
            await peer.SayAsync(TftpPeer.Data(1, Block[..8]), TftpPeer.Data(3, Block[16..24]), TftpPeer.Data(4, Block[24..32]));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            await peer.SayAsync(TftpPeer.Data(2, Block[8..16]), TftpPeer.Data(3, Block[16..24]), TftpPeer.Data(4, Block[24..32]), TftpPeer.Data(5, Block[32..40]));
            await peer.HearAsync(TftpPeer.Acknowledgment(5));
            await peer.SayAsync(TftpPeer.Data(6));
            await peer.HearAsync(TftpPeer.Acknowledgment(6));
        });
        Assert.Equal(0, (await GetAsync(peer, "a", "--timeout", "20s")).ExitCode);
        await peer.EndAsync();
        Assert.Equal(0, peer.Unread);
        Assert.Equal(Block[..40], await File.ReadAllBytesAsync(Local));
    }

    [Fact]
    public async Task Get_WhereTheAcknowledgmentIsLost_SendsItAgain()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(1, Block));
            for (var i = 0; i < 3; i++) await peer.HearAsync(TftpPeer.Acknowledgment(1));
            await peer.SayAsync(TftpPeer.Data(2));
            await peer.HearAsync(TftpPeer.Acknowledgment(2));
        });
        Assert.Equal(0, (await GetAsync(peer, "a", "--timeout", "20ms")).ExitCode);
        await peer.EndAsync();
    }

    [Fact]
    public async Task Get_WithWrongBlocks_PassesOverThem()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(9, 1), TftpPeer.Acknowledgment(1), [0], [], [9, 9, 9, 9], TftpPeer.Data(1, Block));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            await peer.SayAsync(TftpPeer.Data(40_000, 1), TftpPeer.Data(0, 1), TftpPeer.Data(3, 1), TftpPeer.Data(2));
            await peer.HearAsync(TftpPeer.Acknowledgment(2));
        });
        Assert.Equal(0, (await GetAsync(peer, "a", "--timeout", "20s")).ExitCode);
        await peer.EndAsync();
        Assert.Equal(Block, await File.ReadAllBytesAsync(Local));
    }

    [Fact]
    public async Task Get_WithAStrangerInTheTransfer_TellsItErrorFiveAndGoesOn()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(1, Block));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            using var stranger = TftpPeer.Bind();
            await stranger.SendToAsync(TftpPeer.Error(0, "give up"), peer.Client);
            await stranger.SendToAsync(TftpPeer.Data(2, 66, 66), peer.Client);
            var answer = new byte[600];
            var length = await stranger.ReceiveAsync(answer);
            Assert.True(TftpPacket.TryReadError(answer.AsSpan(0, length), out var code, out _) && code == 5);
            await peer.SayAsync(TftpPeer.Data(2));
            await peer.HearAsync(TftpPeer.Acknowledgment(2));
        });
        Assert.Equal(0, (await GetAsync(peer, "a", "--timeout", "20s")).ExitCode);
        await peer.EndAsync();
        Assert.Equal(Block, await File.ReadAllBytesAsync(Local));
    }

    [Fact]
    public async Task Get_WithALargerBlockThanAgreed_IsRefusedAndKeepsNothing() => await FailsAsync(
        async peer =>
        {
            await peer.SayAsync(TftpPeer.Options(new() { BlockSize = 8 }));
            await peer.HearAsync(TftpPeer.Acknowledgment(0));
            await peer.SayAsync(TftpPeer.Data(1, Block[..9]));
        },
        ExitCode.Refused, "more than the 8 bytes", told: 4);

    [Fact]
    public async Task Get_WithMoreThanWasAskedFor_IsRefusedAndKeepsNothing()
    {
        await FailsAsync(peer => peer.SayAsync(TftpPeer.Options(new() { BlockSize = 1429 })), ExitCode.Refused, "larger blocks", told: 8);
        await FailsAsync(peer => peer.SayAsync(TftpPeer.Options(new() { WindowSize = 17 })), ExitCode.Refused, "longer windows", told: 8);
    }

    [Fact]
    public async Task Get_WithAnotherLengthThanTold_IsRefusedAndKeepsNothing() => await FailsAsync(
        async peer =>
        {
            await peer.SayAsync(TftpPeer.Options(new() { TransferSize = 5 }));
            await peer.HearAsync(TftpPeer.Acknowledgment(0));
            await peer.SayAsync(TftpPeer.Data(1, 1, 2, 3));
        },
        ExitCode.Refused, "said 5 bytes and sent 3", told: 4);

    [Fact]
    public async Task Get_WithAnErrorMidway_ShowsItEscapedAndKeepsNothing() => await FailsAsync(
        async peer =>
        {
            await peer.SayAsync(TftpPeer.Data(1, Block));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            await peer.SayAsync(TftpPeer.Error(3, "\u001b[2Jdisk gone"));
        },
        ExitCode.Refused, @"a: refused (full): \x1B[2Jdisk gone");

    [Fact]
    public async Task Get_FromAServerThatFallsSilent_TimesOutAndKeepsNothing() => await FailsAsync(
        async peer =>
        {
            await peer.SayAsync(TftpPeer.Data(1, Block));
            for (var i = 0; i < 3; i++) await peer.HearAsync(TftpPeer.Acknowledgment(1));
        },
        ExitCode.TimedOut, "does not answer any more: asked 3 times in 0.14 s (--timeout, --retry). Run it again.");

    [Fact]
    public async Task Get_NeverAnswered_TimesOutAfterAllRetries() => await FailsAsync(
        async peer =>
        {
            for (var i = 0; i < 2; i++) await peer.HearRequestAsync();
        },
        ExitCode.TimedOut, "did not answer: asked 3 times in 0.14 s");

    [Fact]
    public async Task Get_WhereNothingListens_FailsAtOnce()
    {
        using var socket = TftpPeer.Bind();
        var port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        socket.Close();
        (await CliRun.RunAsync("get", $"tftp://127.0.0.1:{port}/a", Local, "--timeout", "20s")).AssertFailed(ExitCode.Unreachable, "nothing listens there");
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public async Task Get_Interrupted_TellsTheServerAndKeepsNothing()
    {
        using var interruption = new Interruption();
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(1, Block));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            interruption.Raise();
            Assert.Equal(TftpOpcode.Error, TftpPacket.OpcodeOf(await peer.HearAsync()));
        });
        using var output = new MemoryStream();
        var console = new CliConsole(Stream.Null, output, new StringWriter());
        Assert.Equal(130, await PerchCli.RunAsync(["get", peer.Url("a"), Local], console, interruption).WaitAsync(CliRun.Deadline));
        await peer.EndAsync();
        Assert.Empty(_folder.GetFiles());
    }

    [Fact]
    public async Task Get_ToStandardOutput_IsTheBytes()
    {
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(1, Block[65..70]));
        });
        var run = await CliRun.RunAsync("get", peer.Url("a"), "-");
        Assert.Equal((0, "ABCDE"), (run.ExitCode, run.Output));
        Assert.Contains($"sha256 {Convert.ToHexStringLower(SHA256.HashData("ABCDE"u8))}", run.Error, StringComparison.Ordinal);
    }

    private Task<CliRun> GetAsync(TftpPeer peer, string name = "a", params string[] options) => CliRun.RunAsync(["get", peer.Url(name), Local, .. options]);

    /// <summary>The file that is there stays as it was.</summary>
    private async Task FailsAsync(Func<TftpPeer, Task> serve, int exitCode, string text, int? told = null)
    {
        await File.WriteAllTextAsync(Local, Held);
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await serve(peer);
            if (told is null) return;
            Assert.True(TftpPacket.TryReadError(await peer.HearAsync(), out var code, out _));
            Assert.Equal(told, code);
        });
        // Where nobody falls silent nothing is to be sent again.
        (await GetAsync(peer, "a", "--timeout", exitCode == ExitCode.TimedOut ? "20ms" : "10s", "--retry", "2")).AssertFailed(exitCode, text);
        await peer.EndAsync();
        Assert.Equal(Held, await File.ReadAllTextAsync(Assert.Single(_folder.GetFiles()).FullName));
    }
}
