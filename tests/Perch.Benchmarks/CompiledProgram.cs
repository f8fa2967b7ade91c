using System.ComponentModel;
using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>A program in C or Go, compiled when it is wanted; its source lies beside this one.</summary>
internal static class CompiledProgram
{
    /// <param name="name">Of the executable.</param>
    /// <param name="sources">Relative to this program: one Go file, or C files.</param>
    /// <param name="folder">Where the executable goes.</param>
    /// <returns>The executable.</returns>
    /// <exception cref="InvalidOperationException">There is no compiler, or it complains.</exception>
    public static async Task<string> CompileAsync(string name, IReadOnlyList<string> sources, DirectoryInfo folder)
    {
        var executable = Path.Combine(folder.FullName, name);
        var paths = sources.Select(source => Path.Combine(AppContext.BaseDirectory, source));
        try
        {
            using var compiler = Path.GetExtension(sources[0]) == ".go"
                ? Process.Start("go", ["build", "-o", executable, .. paths])
                : Process.Start("cc", ["-O2", "-o", executable, .. paths]);
            await compiler.WaitForExitAsync();
            if (compiler.ExitCode == 0) return executable;
        }
        catch (Win32Exception)
        {
            // No compiler.
        }

        throw new InvalidOperationException($"{name} could not be compiled: install gcc, or for Go golang-go.");
    }
}
