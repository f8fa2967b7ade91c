using System.Text;

namespace Perch.FunctionalTests.Tutorials;

/// <summary>
/// A bash script that does what a reader of a page does: it runs the commands of the page from top to bottom and writes a
/// mark before and after the output of each block.
/// </summary>
internal static class PageScript
{
    public const string ServerLog = "server.log";

    /// <summary>The address that a page uses for this machine as other machines see it (RFC 5737).</summary>
    private const string DocumentationAddress = "192.0.2.10";

    public static string Create(MarkdownPage page, string folder)
    {
        var script = new StringBuilder($$"""
            ip link set lo up && ip address add {{DocumentationAddress}}/32 dev lo || exit 1
            exec </dev/null 2>&1
            server=
            stop() { [ -z "$server" ] || { kill -INT -- "-$server"; wait "$server"; server=; } 2>/dev/null; }
            ready() {
              for _ in $(seq 1200); do
                grep -q 'Now listening on' "$1" && return
                kill -0 "$server" 2>/dev/null || return 1
                sleep 0.05
              done
              return 1
            }
            set -m

            """);
        for (var i = 0; i < page.Blocks.Count; i++)
        {
            var block = page.Blocks[i];
            if (block.Language == "sh")
                script.Append(block.Argument == "server" ? StartServer(i, block.Code, folder) : Run(i, block.Code));
        }

        return script.Append("stop\n").ToString();
    }

    public static string Begin(int block) => $"\u0001begin {block}\u0001\n";

    public static string End(int block) => $"\u0001end {block} ";

    private static string Run(int block, string code) => $"printf '{Begin(block).TrimEnd('\n')}\\n'\n{code}printf '{End(block)}%s\\n' $?\n";

    // A job of an interactive shell has a process group of its own, which gets Ctrl-C, and does not ignore it.
    private static string StartServer(int block, string code, string folder)
    {
        var log = Path.Combine(folder, $"{block}.{ServerLog}");
        return $"""
            stop
            env --default-signal=INT bash -c {Quote(code)} > {Quote(log)} 2>&1 &
            server=$!
            ready {Quote(log)}
            printf '{Begin(block).TrimEnd('\n')}\n{End(block)}%s\n' $?

            """;
    }

    private static string Quote(string text) => $"'{text.Replace("'", "'\\''")}'";
}
