using Perch.Files;
using Perch.Wire;

namespace Perch.Server;

/// <summary><c>perch-server --verify-files</c>: every file of the store against its hash. A server may run meanwhile.</summary>
internal static class FileVerification
{
    public static async Task<int> RunAsync(IServiceProvider services)
    {
        try
        {
            return await VerifyAsync(services.GetRequiredService<IFileStore>());
        }
        catch (FileStoreException exception)
        {
            await Console.Error.WriteLineAsync($"perch-server: the files cannot be read: {exception.Message}");
            return ExitCode.Failed;
        }
    }

    private static async Task<int> VerifyAsync(IFileStore store)
    {
        var (found, faults) = (0L, 0L);
        await foreach (var finding in store.VerifyAsync(CancellationToken.None))
        {
            found++;
            if (finding.IsFault)
                faults++;
            var (name, text) = (PeerText.Escape(finding.Name, maxChars: 1024), PeerText.Escape(finding.Text));
            await Console.Out.WriteLineAsync($"{(finding.IsFault ? "FAULT" : "ok")}\t{name}\t{text}");
        }

        await Console.Out.WriteLineAsync($"{found} entries, {faults} faults.");
        return faults == 0 ? ExitCode.Stopped : ExitCode.Failed;
    }
}
