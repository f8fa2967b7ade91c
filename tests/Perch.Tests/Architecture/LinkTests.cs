using System.Text.RegularExpressions;

namespace Perch.Tests.Architecture;

/// <summary>Links between the pages of the repository lead somewhere.</summary>
public sealed partial class LinkTests
{
    [Fact]
    public void Links_OfAllPages_LeadToAFileAndAHeading()
    {
        var pages = Repository.Pages().ToList();
        var broken = pages.SelectMany(page => Link().Matches(CodeBlock().Replace(File.ReadAllText(page), "")).Select(link => (page, link.Groups["target"].Value)))
            .Where(link => !Leads(link.page, link.Value))
            .Select(link => $"{Path.GetRelativePath(Repository.PathOf("."), link.page)}: {link.Value}");

        Assert.True(pages.Count > 30);
        Assert.Empty(broken);
    }

    private static bool Leads(string page, string target)
    {
        if (target.Contains("://", StringComparison.Ordinal) || target.StartsWith("mailto:", StringComparison.Ordinal))
            return true;
        var parts = target.Split('#', 2);
        var path = parts[0].Length == 0 ? page : Path.GetFullPath(parts[0], Path.GetDirectoryName(page)!);
        if (!Path.Exists(path))
            return false;
        return parts.Length == 1 || !path.EndsWith(".md", StringComparison.Ordinal)
            || Heading().Matches(CodeBlock().Replace(File.ReadAllText(path), "")).Any(heading => AnchorOf(heading.Groups["text"].Value) == parts[1]);
    }

    /// <summary>The anchor that forges make from a heading: lower case, without punctuation, spaces as hyphens.</summary>
    private static string AnchorOf(string heading) =>
        Punctuation().Replace(heading.Trim().ToLowerInvariant(), "").Replace(' ', '-');

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Link();

    [GeneratedRegex(@"(?m)^#+ (?<text>.+)$", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Heading();

    [GeneratedRegex(@"(?ms)^```.*?^```", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex CodeBlock();

    [GeneratedRegex(@"[^\p{L}\p{N}\- _]", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Punctuation();
}
