using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>A server in C or Go, compiled when it is wanted; its source lies beside this program.</summary>
internal static class CompiledServer
{
    /// <returns>The executable.</returns>
    /// <exception cref="InvalidOperationException">There is no compiler, or it complains.</exception>
    public static async Task<string> CompileAsync(string source, DirectoryInfo folder)
    {
        var executable = Path.Combine(folder.FullName, Path.GetFileNameWithoutExtension(source));
        var path = Path.Combine(AppContext.BaseDirectory, source);
        using var compiler = Path.GetExtension(source) == ".go"
            ? Process.Start("go", ["build", "-o", executable, path])
            : Process.Start("cc", ["-O2", "-o", executable, path]);
        await compiler.WaitForExitAsync();
        return compiler.ExitCode == 0 ? executable : throw new InvalidOperationException($"{source} could not be compiled: install gcc, or for Go golang-go.");
    }
}
