using Perch.Cli.CommandLine;

namespace Perch.Cli.Tests.CommandLine;

public sealed class WordWrapTests
{
    [Theory]
    [InlineData("one two\nthree four", "one two three\nfour")]
    [InlineData("one two three\n\nfour", "one two three\n\nfour")]
    [InlineData("a-word-that-is-longer-than-a-line and", "a-word-that-is-longer-than-a-line\nand")]
    [InlineData("Modes:\n  echo  one two three", "Modes:\n  echo  one two\n        three")]
    [InlineData("  one two three four", "  one two three\n    four")]
    public void Text_LongerThanTheWidth_BreaksBetweenWords(string text, string wrapped) => Assert.Equal(wrapped, WordWrap.Text(text, 15));
}
