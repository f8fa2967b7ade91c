using System.Security.Cryptography;
using System.Text;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Files;

/// <summary>Two transfers to one name.</summary>
public sealed class PartFileTests : IDisposable
{
    private static readonly string Hash = Convert.ToHexStringLower(SHA256.HashData("abc"u8));

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-");

    private string Local => Path.Combine(_folder.FullName, "a");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData]
    [InlineData("--no-resume")]
    public async Task Get_WhileAnotherWritesTheFile_FailsAndLeavesItAlone(params string[] options)
    {
        var (hasBegun, goesOn) = (new TaskCompletionSource(), new TaskCompletionSource());
        await using var peer = new Peer(async (stream, token) =>
        {
            using var lines = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            while (await lines.ReadLineAsync(token) is { } line)
            {
                if (line.StartsWith("STAT", StringComparison.Ordinal))
                {
                    await stream.WriteAsync(Encoding.ASCII.GetBytes($"OK 3 sha256={Hash} modified=2026-11-20T20:09:58Z\n"), token);
                    continue;
                }

                await stream.WriteAsync(Encoding.ASCII.GetBytes($"OK 3 sha256={Hash} total=3\nab"), token);
                hasBegun.TrySetResult();
                await goesOn.Task.WaitAsync(token);
                await stream.WriteAsync("c"u8.ToArray(), token);
            }
        });
        var first = GetAsync($"files://{peer.Address}/a", options);
        await hasBegun.Task.WaitAsync(CliRun.Deadline);
        (await GetAsync($"files://{peer.Address}/a", options)).AssertFailed(ExitCode.LocalFile, "another transfer is writing this file");
        goesOn.SetResult();
        await AssertFetchedAsync(first);
    }

    [Fact]
    public async Task Get_OverTftpWhileAnotherWritesTheFile_FailsAndLeavesItAlone()
    {
        var goesOn = new TaskCompletionSource();
        await using var peer = new TftpPeer(async peer =>
        {
            await peer.HearRequestAsync();
            await peer.SayAsync(TftpPeer.Data(1, new byte[512]));
            await peer.HearAsync(TftpPeer.Acknowledgment(1));
            await goesOn.Task;
            await peer.SayAsync(TftpPeer.Data(2, "abc"u8.ToArray()));
        });
        var first = GetAsync(peer.Url("a"), "--timeout", "20s");
        await UntilAsync(() => File.Exists(Local + ".part"));
        // It fails before it asks: nothing listens there.
        (await GetAsync("tftp://127.0.0.1:1/a")).AssertFailed(ExitCode.LocalFile, "another transfer is writing this file");
        goesOn.SetResult();
        await AssertFetchedAsync(first, 515);
    }

    /// <summary>What another transfer is writing of another version is its own still when this one is done.</summary>
    [Fact]
    public async Task Get_BesideOneOfAnotherVersion_DropsOnlyWhatNobodyWrites()
    {
        var (used, left) = (Local + ".0123456789abcdef.part", Local + ".fedcba9876543210.part");
        await File.WriteAllTextAsync(left, "x");
        await using var peer = new Peer(async (stream, token) =>
        {
            using var lines = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            foreach (var answer in (string[])[$"OK 3 sha256={Hash} modified=2026-11-20T20:09:58Z\n", $"OK 3 sha256={Hash} total=3\nabc"])
            {
                if (await lines.ReadLineAsync(token) is null) return;
                await stream.WriteAsync(Encoding.ASCII.GetBytes(answer), token);
            }
        });
        await using (var other = Perch.Cli.Files.PartFile.Open(used)) Assert.Equal(0, (await GetAsync($"files://{peer.Address}/a")).ExitCode);
        Assert.Equal([Local, used], _folder.GetFiles().Select(file => file.FullName).Order(StringComparer.Ordinal));
    }

    private Task<CliRun> GetAsync(string url, params string[] options) => CliRun.RunAsync(["get", url, Local, .. options]);

    private async Task AssertFetchedAsync(Task<CliRun> run, long length = 3)
    {
        var ended = await run;
        Assert.True(ended.ExitCode == 0, ended.Error);
        Assert.Equal(length, Assert.Single(_folder.GetFiles()).Length);
        Assert.EndsWith("abc", await File.ReadAllTextAsync(Local), StringComparison.Ordinal);
    }

    private static async Task UntilAsync(Func<bool> isTrue)
    {
        using var limit = new CancellationTokenSource(CliRun.Deadline);
        while (!isTrue()) await Task.Delay(10, limit.Token);
    }
}
