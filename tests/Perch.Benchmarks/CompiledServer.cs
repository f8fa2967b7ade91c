using System.Diagnostics;

namespace Perch.Benchmarks;

/// <summary>A server in C, compiled when it is wanted; its source lies beside this program.</summary>
internal static class CompiledServer
{
    /// <returns>The executable.</returns>
    /// <exception cref="InvalidOperationException">There is no C compiler, or it complains.</exception>
    public static async Task<string> CompileAsync(string source, DirectoryInfo folder)
    {
        var executable = Path.Combine(folder.FullName, Path.GetFileNameWithoutExtension(source));
        using var compiler = Process.Start("cc", ["-O2", "-o", executable, Path.Combine(AppContext.BaseDirectory, source)]);
        await compiler.WaitForExitAsync();
        return compiler.ExitCode == 0 ? executable : throw new InvalidOperationException($"cc could not compile {source}: install gcc.");
    }
}
