using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// Runs the commands of a page in a checkout. The network and the process ids are a namespace of the run, so that the
/// ports are free as printed, and every process ends with the run.
/// </summary>
internal static class PageRun
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(3);

    /// <returns>A fault for each block that did not do what the page says.</returns>
    public static async Task<List<string>> RunAsync(MarkdownPage page, string checkout)
    {
        var scratch = Directory.CreateTempSubdirectory("perch-page-").FullName;
        try
        {
            var script = Path.Combine(scratch, "page.sh");
            await File.WriteAllTextAsync(script, PageScript.Create(page, scratch));
            var output = await UnshareAsync(script, checkout);
            return Compare(page, output, scratch);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    private static async Task<string> UnshareAsync(string script, string checkout)
    {
        string[] arguments = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", script];
        var start = new ProcessStartInfo("unshare", arguments)
        {
            WorkingDirectory = checkout,
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
        };
        Checkout.SetBuildEnvironment(start);
        using var process = Process.Start(start)!;
        using var limit = new CancellationTokenSource(Limit);
        var errors = process.StandardError.ReadToEndAsync(limit.Token);
        var output = new StringBuilder();
        try
        {
            var buffer = new char[4096];
            while (await process.StandardOutput.ReadAsync(buffer, limit.Token) is var read and > 0) output.Append(buffer, 0, read);
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"Not within {Limit}:\n{output}");
        }

        return output.ToString() + await errors;
    }

    private static List<string> Compare(MarkdownPage page, string output, string scratch)
    {
        var faults = new List<string>();
        var server = -1;
        for (var i = 0; i < page.Blocks.Count; i++)
        {
            var block = page.Blocks[i];
            if (block.Argument == "server")
                server = i;
            var next = i + 1 < page.Blocks.Count ? page.Blocks[i + 1] : null;
            if (block.Language == "sh" && CompareBlock(i, block, next is { Info: "text" } ? next.Code : null, output) is { } fault)
                faults.Add(fault);
            if (block.Info == "text log" && CompareLog(block.Code, Log(scratch, server)) is { } missing)
                faults.Add(missing);
        }

        if (faults.Count > 0)
            faults.Add($"Log of the server:\n{Log(scratch, server)}");
        return faults;
    }

    private static string? CompareBlock(int index, CodeBlock block, string? expected, string output)
    {
        var begin = output.IndexOf(PageScript.Begin(index), StringComparison.Ordinal);
        var end = output.IndexOf(PageScript.End(index), StringComparison.Ordinal);
        if (begin < 0 || end < 0)
            return $"Not run to its end:\n{block.Code}{output[Math.Max(begin, 0)..]}";
        var actual = output[(begin + PageScript.Begin(index).Length)..end];
        var status = output[(end + PageScript.End(index).Length)..].Split('\n')[0];
        if (expected is null)
            return status == "0" ? null : $"Exit code {status}:\n{block.Code}{actual}";
        return Pattern(expected, whole: true).IsMatch(actual) ? null
            : $"Output of\n{block.Code}--- expected\n{expected}--- actual\n{actual}---";
    }

    private static string? CompareLog(string expected, string log)
    {
        var lines = string.Join("...\n...", expected.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        return Pattern(lines, whole: false).IsMatch(log) ? null : $"Not in the log:\n{expected}";
    }

    private static string Log(string scratch, int server)
    {
        var path = Path.Combine(scratch, $"{server}.{PageScript.ServerLog}");
        return File.Exists(path) ? File.ReadAllText(path) : "";
    }

    /// <summary>Ends of lines at the end of an output do not count: the shell's prompt follows them.</summary>
    private static Regex Pattern(string expected, bool whole)
    {
        var pattern = Regex.Escape(expected.TrimEnd('\n')).Replace(@"\.\.\.", @"[\s\S]*?");
        return new(whole ? $@"^\s*{pattern}\s*$" : pattern, RegexOptions.None, TimeSpan.FromSeconds(1));
    }
}
