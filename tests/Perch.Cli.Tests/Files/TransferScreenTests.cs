using Perch.Cli.Files;

namespace Perch.Cli.Tests.Files;

public sealed class TransferScreenTests
{
    [Fact]
    public async Task Print_OfALineThatIsLongerThanTheTerminal_LeavesItWhole()
    {
        var line = "stored " + string.Join(' ', Enumerable.Repeat("a long name", 30));
        var error = new StringWriter();
        var console = new CliConsole(Stream.Null, Stream.Null, error) { IsErrorTerminal = true, Size = () => (40, 10) };
        var screen = new TransferScreen(console);
        await screen.ShowAsync(() =>
        {
            Assert.True(screen.TryPrint(line, isTerminal: true));
            return Task.CompletedTask;
        });
        Assert.Contains(line + "\n", error.ToString().ReplaceLineEndings("\n"), StringComparison.Ordinal);
        Assert.False(screen.TryPrint(line, isTerminal: true));
    }
}
