using System.Text;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Time.Testing;
using Perch.Cli.Admin;

namespace Perch.Cli.Tests.Admin;

public sealed partial class StatusScreenTests
{
    private static readonly Uri Url = new("http://localhost:8080");

    private static readonly ServerStatus Status = new("Degraded",
        [
            new("echo", "echo", "tcp 127.0.0.1:25000", "Listening", null, 12, [("PeerClosed", 104)]),
            new("record-syslog-udp", "record", "udp 127.0.0.1:5514", "Listening", null, 3, []),
            new("upload", "upload", "tcp 127.0.0.1:9996", "Failed", "address in use", 0,
                [("Completed", 12), ("PeerClosed", 7), ("StorageUnavailable", 1), ("IdleTimeout", 2)]),
        ],
        ["endpoints: upload is not bound"]);

    [Fact]
    public async Task Show_At80Columns_PutsOutcomesBelowTheRow()
    {
        var lines = Plain(await ShowAsync(80, isRepeated: false)).TrimEnd('\n').Split('\n');
        Assert.Equal(
            [
                "http://localhost:8080/  Degraded",
                "endpoint           protocol  address              state      open",
                "echo               echo      tcp 127.0.0.1:25000  Listening  12",
                "    PeerClosed 104",
                "record-syslog-udp  record    udp 127.0.0.1:5514   Listening  3",
                "upload             upload    tcp 127.0.0.1:9996   Failed     0",
                "    address in use, Completed 12, PeerClosed 7, StorageUnavailable 1,",
                "      IdleTimeout 2",
                "endpoints: upload is not bound",
            ],
            lines);
    }

    [Fact]
    public async Task Show_OnAWideTerminal_PutsOutcomesBesideTheRow()
    {
        var lines = Plain(await ShowAsync(160, isRepeated: false)).Split('\n');
        Assert.Equal("endpoint           protocol  address              state      open  last ended", lines[1]);
        Assert.Equal("echo               echo      tcp 127.0.0.1:25000  Listening  12    PeerClosed 104", lines[2]);
        Assert.Contains("\u001b[32mListening\u001b[0m", await ShowAsync(160, isRepeated: false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Show_Repeated_RedrawsInPlaceWithTheTime()
    {
        var time = new FakeTimeProvider(new(2026, 11, 21, 6, 33, 37, TimeSpan.Zero));
        using var output = new MemoryStream();
        var screen = new StatusScreen(Terminal(output, 80), Url, isJson: false, isRepeated: true, time);
        await screen.ShowAsync(Status);
        time.Advance(TimeSpan.FromSeconds(2));
        await screen.ShowFailureAsync("http://localhost:8080/: The connection was refused: nothing listens there.");
        var text = Encoding.UTF8.GetString(output.ToArray());

        Assert.StartsWith("\r\u001b[Jhttp://localhost:8080/  2026-11-21 06:33:37Z  ", text, StringComparison.Ordinal);
        // Nine lines up, and nothing of the first picture stays.
        var second = text[text.IndexOf("\u001b[9A\r\u001b[J", StringComparison.Ordinal)..];
        Assert.Contains("2026-11-21 06:33:39Z", second, StringComparison.Ordinal);
        Assert.Contains("nothing listens there.\nWaiting for the server.\n", second, StringComparison.Ordinal);
        Assert.DoesNotContain("\u001b[H", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(30, 6)]
    [InlineData(60, 40)]
    public async Task Show_Repeated_FitsIntoTheTerminal(int columns, int rows)
    {
        var lines = Plain(await ShowAsync(columns, isRepeated: true, rows)).TrimEnd('\n').Split('\n');
        Assert.InRange(lines.Length, 3, rows - 1);
        Assert.All(lines, line => Assert.True(line.Length < columns, line));
    }

    [Fact]
    public async Task ShowFailure_InAPipe_ReportsEachCauseOnce()
    {
        using var output = new MemoryStream();
        var error = new StringWriter { NewLine = "\n" };
        var screen = new StatusScreen(new(Stream.Null, output, error), Url, isJson: true, isRepeated: true, TimeProvider.System);
        foreach (var failure in (string[])["First.", "First.", "Second."])
            await screen.ShowFailureAsync(failure);
        await screen.ShowAsync(Status);
        await screen.ShowFailureAsync("Second.");
        Assert.Equal("perch: First. Waiting for the server.\nperch: Second. Waiting for the server.\nperch: Second. Waiting for the server.\n", error.ToString());
        Assert.Single(Encoding.UTF8.GetString(output.ToArray()).TrimEnd('\n').Split('\n'));
    }

    private static CliConsole Terminal(MemoryStream output, int columns, int rows = 24) =>
        new(Stream.Null, output, new StringWriter()) { IsOutputTerminal = true, IsErrorTerminal = true, HasColor = true, Size = () => (columns, rows) };

    private static async Task<string> ShowAsync(int columns, bool isRepeated, int rows = 24)
    {
        using var output = new MemoryStream();
        await new StatusScreen(Terminal(output, columns, rows), Url, isJson: false, isRepeated, TimeProvider.System).ShowAsync(Status);
        return Encoding.UTF8.GetString(output.ToArray());
    }

    private static string Plain(string text) => Sequence().Replace(text, "").Replace("\r", "", StringComparison.Ordinal);

    [GeneratedRegex(@"\e\[[0-9]*[A-Za-z]", RegexOptions.None, 1000)]
    private static partial Regex Sequence();
}
