using System.Text.RegularExpressions;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// A page whose code blocks are run. The words after the opening fence say how:
/// <list type="bullet">
/// <item><c>sh</c>: commands, run one block after the other in one shell. They must succeed.</item>
/// <item><c>sh server</c>: a command that serves until Ctrl-C. The next such block ends the server of the one before.</item>
/// <item><c>text</c>: the whole output of the <c>sh</c> block before it; <c>...</c> stands for any text.</item>
/// <item><c>text log</c>: lines that the server prints, in their order, among others.</item>
/// <item><c>python</c>, <c>csharp</c> or <c>json</c> and a path: the content of that file. A path below <c>src</c> is an excerpt.</item>
/// <item>anything else is not run.</item>
/// </list>
/// </summary>
internal sealed partial class MarkdownPage
{
    public MarkdownPage(string text)
    {
        Blocks = [.. Fence().Matches(text).Select(m => new CodeBlock(m.Groups["info"].Value.Trim(), m.Groups["code"].Value))];
        Prose = Fence().Replace(text, "");
        Headings = [.. Heading().Matches(Prose).Select(m => m.Groups["level"].Length)];
    }

    private MarkdownPage(MarkdownPage page, IEnumerable<CodeBlock> blocks) =>
        (Blocks, Headings, Prose) = ([.. blocks], page.Headings, page.Prose);

    public IReadOnlyList<CodeBlock> Blocks { get; }

    /// <summary>The level of each heading, in their order.</summary>
    public IReadOnlyList<int> Headings { get; }

    /// <summary>The page without its code blocks.</summary>
    public string Prose { get; }

    /// <summary>The blocks whose code is the content of a file.</summary>
    public IEnumerable<(string Path, string Code)> Files => Blocks
        .Where(block => block.Language is "python" or "csharp" or "json" && block.Argument.Length > 0)
        .Select(block => (block.Argument, block.Code));

    /// <summary>The numbers in the first column of the table of ports.</summary>
    public IReadOnlyList<int> Ports => [.. PortRow().Matches(Prose).Select(row => int.Parse(row.Groups["port"].Value))];

    /// <summary>The page without the blocks whose code begins with one of these texts.</summary>
    public MarkdownPage Without(IEnumerable<string> beginnings) =>
        new(this, Blocks.Where(block => !beginnings.Any(begin => block.Code.StartsWith(begin, StringComparison.Ordinal))));

    [GeneratedRegex(@"^\| (?<port>\d{4,5}) ", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex PortRow();

    [GeneratedRegex(
        @"^```(?<info>[^\n]+)\n(?<code>.*?)^```$",
        RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture,
        1000)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^(?<level>#+) ", RegexOptions.Multiline | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Heading();
}

/// <summary>One code block.</summary>
/// <param name="Info">The words after the opening fence.</param>
/// <param name="Code">The lines between the fences.</param>
internal sealed record CodeBlock(string Info, string Code)
{
    public string Language => Info.Split(' ')[0];

    public string Argument => Info.Contains(' ') ? Info[(Info.IndexOf(' ') + 1)..] : "";
}
