using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Files;

/// <summary>Servers of <c>files</c> that answer what they should not.</summary>
public sealed class HostileFileServerTests : IDisposable
{
    private static readonly string Hash = Convert.ToHexStringLower(SHA256.HashData("abc"u8));

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("HTTP/1.1 400 Bad Request\n", "none of the protocol files")]
    [InlineData("OK 3 sha256=zz\n", "none of the protocol files")]
    [InlineData("ERR unavailable \u001b[2Jgone\n", "refused (unavailable): \\x1B[2Jgone")]
    public async Task Stat_AnsweredWrongly_IsRefused(string answer, string told)
    {
        await using var peer = Answering(answer);
        var run = await CliRun.RunAsync("stat", $"files://{peer.Address}/a");
        run.AssertFailed(ExitCode.Refused, told);
        Assert.DoesNotContain('\u001b', run.Error);
    }

    [Fact]
    public async Task Stat_AnsweredByAnEndlessLine_IsRefused()
    {
        await using var peer = Answering(new string('x', 100_000));
        (await CliRun.RunAsync("stat", $"files://{peer.Address}/a")).AssertFailed(ExitCode.Refused, "at most 4096 bytes");
    }

    [Fact]
    public async Task Stat_NeverAnswered_TimesOut()
    {
        await using var peer = Peer.Silent();
        (await CliRun.RunAsync("stat", $"files://{peer.Address}/a", "--timeout", "100ms")).AssertFailed(ExitCode.TimedOut, "--timeout");
    }

    [Fact]
    public async Task Stat_CutMidway_IsACut()
    {
        await using var peer = Peer.Saying("OK 3 sha2");
        (await CliRun.RunAsync("stat", $"files://{peer.Address}/a")).AssertFailed(ExitCode.Cut, "closed the connection");
    }

    [Theory]
    [InlineData("../../escaped")]
    [InlineData("/etc/escaped")]
    [InlineData("dir/.bashrc")]
    public async Task Get_OfAListThatLeadsOutOfTheFolder_WritesNothing(string name)
    {
        await using var peer = Answering($"OK 1\n3 {Hash} 2026-11-20T20:09:58Z {name}\n");
        var run = await CliRun.RunAsync("get", $"files://{peer.Address}/", Path.Combine(_folder.FullName, "in"));
        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Empty(_folder.GetFileSystemInfos());
    }

    [Theory]
    [InlineData("3", "5", "lengths")]
    [InlineData("9223372036854775807", "3", "lengths")]
    public async Task Get_WithLengthsThatDoNotFit_IsRefused(string length, string total, string told)
    {
        await using var peer = Answering($"OK 3 sha256={Hash} modified=2026-11-20T20:09:58Z\n", $"OK {length} sha256={Hash} total={total}\nabc");
        (await GetAsync(peer)).AssertFailed(ExitCode.Refused, told);
    }

    [Fact]
    public async Task Get_WithOtherBytesThanTheHashSays_KeepsNothing()
    {
        await using var peer = Answering($"OK 3 sha256={Hash} modified=2026-11-20T20:09:58Z\n", $"OK 3 sha256={Hash} total=3\nabd");
        (await GetAsync(peer)).AssertFailed(ExitCode.Refused, "another sha256");
        Assert.All(_folder.GetFiles(), file => Assert.Equal(0, file.Length));
    }

    [Fact]
    public async Task Get_ClosedMidway_KeepsWhatCameAndSaysHowToGoOn()
    {
        await using var peer = Answering($"OK 3 sha256={Hash} modified=2026-11-20T20:09:58Z\n", $"OK 3 sha256={Hash} total=3\nab", null);
        (await GetAsync(peer, "--retry", "0")).AssertFailed(ExitCode.Cut, "Run it again to go on.");
        Assert.Equal("ab", await File.ReadAllTextAsync(Assert.Single(_folder.GetFiles("*.part")).FullName));

        await using var second = Answering($"OK 3 sha256={Hash} modified=2026-11-20T20:09:58Z\n", $"OK 1 sha256={Hash} total=3\nc");
        Assert.Equal(0, (await GetAsync(second)).ExitCode);
        Assert.Equal("abc", await File.ReadAllTextAsync(Assert.Single(_folder.GetFiles()).FullName));
    }

    [Fact]
    public async Task Put_RefusedWhileItIsSent_StopsAndTellsTheReason()
    {
        var file = Path.Combine(_folder.FullName, "big");
        await using (var big = File.Create(file)) big.SetLength(200_000_000);
        long taken = 0;
        await using var peer = new Peer(async (stream, token) =>
        {
            var buffer = new byte[64 * 1024];
            Assert.True(await stream.ReadAsync(buffer, token) > 0);
            await stream.WriteAsync("ERR not-found no\n"u8.ToArray(), token);
            while (taken < 1_000_000) taken += await stream.ReadAsync(buffer, token);
            await stream.WriteAsync("ERR full the disk is full\n"u8.ToArray(), token);
            while (await stream.ReadAsync(buffer, token) is var more and > 0) taken += more;
        });
        (await CliRun.RunAsync("put", $"files://{peer.Address}", file)).AssertFailed(ExitCode.Refused, "big: refused (full): the disk is full");
        Assert.InRange(taken, 1_000_000, 100_000_000);
    }

    [Fact]
    public async Task Put_AnsweredWithAnotherHash_IsRefused()
    {
        var file = Path.Combine(_folder.FullName, "a");
        await File.WriteAllTextAsync(file, "abc");
        await using var peer = Answering("ERR not-found no\n", $"OK 3 sha256={new string('0', 64)}\n");
        (await CliRun.RunAsync("put", $"files://{peer.Address}", file)).AssertFailed(ExitCode.Refused, "stored something else");
    }

    [Fact]
    public async Task Udp_ForFiles_IsAUsageError() => (await CliRun.RunAsync("ls", "udp://127.0.0.1:1")).AssertFailed(ExitCode.Usage, "files://");

    private Task<CliRun> GetAsync(Peer peer, params string[] options) => CliRun.RunAsync(["get", $"files://{peer.Address}/a", Path.Combine(_folder.FullName, "a"), .. options]);

    /// <summary>One answer for each line that comes; behind the last, or at null, it closes.</summary>
    private static Peer Answering(params string?[] answers) => new(async (stream, token) =>
    {
        using var lines = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        foreach (var answer in answers)
        {
            if (answer is null) break;
            if (await lines.ReadLineAsync(token) is null) return;
            await stream.WriteAsync(Encoding.UTF8.GetBytes(answer), token);
        }

        stream.Socket.Shutdown(SocketShutdown.Send);
        while (await lines.ReadLineAsync(token) is not null)
        {
            // Until the client leaves.
        }
    });
}
