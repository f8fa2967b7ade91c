using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Record;

public sealed class RecordTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Lines_AreSentWithKeysInOrderAndAcknowledged()
    {
        var lines = new List<string>();
        await using var peer = Storing(lines);
        var run = await RecordAsync(peer, "one\n\nzwei ü\nlast without an end", "--sender", "web1", "--json");
        Assert.Equal((0, ""), (run.ExitCode, run.Error));
        Assert.Equal(["one", "", "zwei ü", "last without an end"], lines.Select(line => line[(line.IndexOf(' ', StringComparison.Ordinal) + 1)..]));
        var numbers = lines.ConvertAll(line => long.Parse(line["@web1/".Length..line.IndexOf(' ', StringComparison.Ordinal)], System.Globalization.CultureInfo.InvariantCulture));
        Assert.Equal(Enumerable.Range(0, 4).Select(i => numbers[0] + i), numbers);
        var summary = JsonNode.Parse(run.Output)!;
        Assert.Equal((4, 0, 4), (summary["stored"]!.GetValue<int>(), summary["waiting"]!.GetValue<int>(), summary["lastId"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Connection_ThatIsLostOrRefused_IsOpenedAgainAndAllThatWaitsSent()
    {
        var lines = new List<string>();
        var connections = 0;
        await using var peer = new Peer(async (stream, token) =>
        {
            connections++;
            using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            for (var taken = 0; await reader.ReadLineAsync(token) is { } line; taken++)
            {
                if (connections == 1 && taken == 1)
                {
                    Peer.Reset(stream);
                    return;
                }

                if (connections == 2)
                {
                    await stream.WriteAsync("ERR unavailable not now\nOK 7\n"u8.ToArray(), token);
                    return;
                }

                lines.Add(line);
                await stream.WriteAsync(Encoding.ASCII.GetBytes($"OK {lines.Count}\n"), token);
            }
        });
        var run = await RecordAsync(peer, "one\ntwo\nthree\n");
        Assert.True(run.ExitCode == 0, run.Error);
        Assert.Contains("The server cannot store now: ERR unavailable not now.", run.Error, StringComparison.Ordinal);
        Assert.Equal(3, connections);
        Assert.Equal(["one", "two", "three"], lines.Select(line => line.Split(' ')[1]).Distinct());
        Assert.Equal(3, lines.Select(line => line.Split(' ')[0]).Distinct().Count());
    }

    /// <summary>At boot the server may come later than the pipe.</summary>
    [Fact]
    public async Task Server_ThatIsNotThereYet_IsWaitedForAndThatIsSaid()
    {
        using var bound = Peer.Bound();
        var error = new SignallingWriter("Waiting for the server");
        var running = CliRun.RunWithAsync("one\ntwo\n"u8.ToArray(), error, "record", $"tcp://{bound.LocalEndPoint}", "--state", Path.Combine(_folder.FullName, "state"), "--json");
        await error.Written.WaitAsync(CliRun.Deadline);
        var lines = new List<string>();
        await using var peer = Storing(lines, bound);

        var run = await running;
        Assert.Equal(0, run.ExitCode);
        Assert.Contains(" Waiting for the server, trying again in 0.1 s.", run.Error, StringComparison.Ordinal);
        Assert.Equal(["one", "two"], lines.Select(line => line.Split(' ')[1]));
        Assert.Equal(0, JsonNode.Parse(run.Output)!["reconnects"]!.GetValue<int>());
    }

    [Fact]
    public async Task Server_ThatNeverComes_EndsTheRunAfterGiveUp()
    {
        using var bound = Peer.Bound();
        var run = await CliRun.RunWithAsync("one\n", "record", $"tcp://{bound.LocalEndPoint}", "--state", Path.Combine(_folder.FullName, "state"), "--give-up", "50ms");
        Assert.Equal(ExitCode.Unreachable, run.ExitCode);
        Assert.Contains("1 waits in the state", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_ThatWereNotAcknowledged_AreSentFirstByTheNextRun()
    {
        await using (var silent = Peer.Silent())
        {
            var run = await RecordAsync(silent, "one\ntwo\n", "--timeout", "100ms", "--give-up", "50ms");
            Assert.Equal(ExitCode.TimedOut, run.ExitCode);
            Assert.Contains("2 wait in the state", run.Error, StringComparison.Ordinal);
        }

        var lines = new List<string>();
        await using var peer = Storing(lines);
        Assert.Equal(0, (await RecordAsync(peer, "three\n")).ExitCode);
        Assert.Equal(["one", "two", "three"], lines.Select(line => line.Split(' ')[1]));
    }

    [Theory]
    [InlineData("-\n", "needs an endpoint with")]
    [InlineData("\u001b[2J\n", "\\x1B[2J")]
    [InlineData("ERR too-long at most 10 bytes\n", "--skip-refused")]
    public async Task Answers_ThatAreWrong_AreRefused(string answer, string told)
    {
        await using var peer = new Peer(async (stream, token) =>
        {
            using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            await reader.ReadLineAsync(token);
            await stream.WriteAsync(Encoding.UTF8.GetBytes(answer), token);
            await reader.ReadLineAsync(token);
        });
        var run = await RecordAsync(peer, "one\n");
        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Contains(told, run.Error, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', run.Error);
    }

    [Fact]
    public async Task SkipRefused_OfALineThatIsTooLong_TellsItAndGoesOn()
    {
        var lines = new List<string>();
        await using var peer = new Peer(async (stream, token) =>
        {
            using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
            while (await reader.ReadLineAsync(token) is { } line)
            {
                if (line.Length > 100)
                {
                    await stream.WriteAsync("ERR too-long at most 100 bytes\n"u8.ToArray(), token);
                    return;
                }

                lines.Add(line.Split(' ')[1]);
                await stream.WriteAsync("OK 1\n"u8.ToArray(), token);
            }
        });
        var run = await RecordAsync(peer, $"one\n{new string('x', 200)}\nthree\n", "--skip-refused");
        Assert.Equal(ExitCode.Refused, run.ExitCode);
        Assert.Contains("2 lines stored, 1 refused.", run.Error, StringComparison.Ordinal);
        Assert.Equal(["one", "three"], lines);
    }

    private static Peer Storing(List<string> lines, Socket? bound = null) => new(async (stream, token) =>
    {
        using var reader = new StreamReader(stream, Encoding.UTF8, leaveOpen: true);
        while (await reader.ReadLineAsync(token) is { } line)
        {
            lines.Add(line);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"OK {lines.Count}\n"), token);
        }
    }, bound);

    private Task<CliRun> RecordAsync(Peer peer, string input, params string[] options) =>
        CliRun.RunWithAsync(input, ["record", peer.Address, "--state", Path.Combine(_folder.FullName, "state"), .. options]);

    /// <summary>Completes when a text was written.</summary>
    private sealed class SignallingWriter(string text) : StringWriter
    {
        private readonly TaskCompletionSource _written = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Written => _written.Task;

        public override void Write(char[] buffer, int index, int count)
        {
            base.Write(buffer, index, count);
            Look();
        }

        public override void Write(string? value)
        {
            base.Write(value);
            Look();
        }

        public override Task WriteLineAsync(string? value)
        {
            base.WriteLine(value);
            Look();
            return Task.CompletedTask;
        }

        private void Look()
        {
            if (ToString().Contains(text, StringComparison.Ordinal)) _written.TrySetResult();
        }
    }
}
