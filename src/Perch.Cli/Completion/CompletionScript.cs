namespace Perch.Cli.Completion;

/// <summary>Scripts that ask perch itself, by its directive <c>[suggest:POSITION]</c>: so they stay right.</summary>
internal static class CompletionScript
{
    private const string Bash = """
        # Completion of perch for bash.
        _perch() {
          local candidate
          COMPREPLY=()
          while IFS= read -r candidate; do
            COMPREPLY+=("$candidate")
          done < <(perch "[suggest:${COMP_POINT}]" "${COMP_LINE}" 2>/dev/null | grep -- "^${COMP_WORDS[COMP_CWORD]//[^A-Za-z0-9_-]/}")
        }
        complete -o default -F _perch perch

        """;

    private const string Zsh = """
        #compdef perch
        # Completion of perch for zsh.
        _perch() {
          local -a candidates
          candidates=("${(@f)$(perch "[suggest:${CURSOR}]" "${BUFFER}" 2>/dev/null)}")
          compadd -a candidates || _files
        }
        compdef _perch perch

        """;

    private const string Fish = """
        # Completion of perch for fish.
        complete -c perch -a '(perch "[suggest:"(commandline -C)"]" (commandline) 2>/dev/null)'

        """;

    private static readonly Dictionary<string, string> Scripts = new(StringComparer.Ordinal) { ["bash"] = Bash, ["zsh"] = Zsh, ["fish"] = Fish };

    public static IEnumerable<string> Shells => Scripts.Keys;

    public static string Of(string shell) => Scripts[shell];
}
