using Perch.Protocols.Files;
using Perch.Wire;

namespace Perch.Server;

/// <summary><c>perch-server --verify-files</c>: every file of the store against its hash. A server may run meanwhile.</summary>
internal static class FileVerification
{
    public static async Task<int> RunAsync(IServiceProvider services)
    {
        var (found, faults) = (0L, 0L);
        await foreach (var finding in services.GetRequiredService<IFileStore>().VerifyAsync(CancellationToken.None))
        {
            found++;
            if (finding.IsFault) faults++;
            await Console.Out.WriteLineAsync($"{(finding.IsFault ? "FAULT" : "ok")}\t{PeerText.Escape(finding.Name, maxChars: 1024)}\t{PeerText.Escape(finding.Text)}");
        }

        await Console.Out.WriteLineAsync($"{found} entries, {faults} faults.");
        return faults == 0 ? ExitCode.Stopped : ExitCode.Failed;
    }
}
