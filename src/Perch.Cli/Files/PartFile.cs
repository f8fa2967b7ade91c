namespace Perch.Cli.Files;

/// <summary>
/// A file that is not whole yet. Whoever has it open has it alone, so two transfers to one name cannot mix their bytes: the later one
/// fails. It takes its name while it is open still, so that nobody gets hold of it in between.
/// </summary>
internal static class PartFile
{
    public const string Suffix = ".part";

    private const int WouldBlockOfLinux = 11;
    private const int WouldBlockOfMac = 35;
    private const int SharingViolationOfWindows = unchecked((int)0x80070020);

    // On Unix this is a lock, which does not hinder a new name; Windows wants to be told.
    private static readonly FileShare Alone = OperatingSystem.IsWindows() ? FileShare.Delete : FileShare.None;

    /// <returns>What an earlier transfer has left, or empty; for reading and writing.</returns>
    /// <exception cref="CliException">Another transfer has it.</exception>
    public static FileStream Open(string path)
    {
        LocalPath.RequireReplaceable(path);
        while (true)
        {
            try
            {
                var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, Alone, bufferSize: 0, FileOptions.Asynchronous);
                // Whoever had it may have given it its name just now: then this is the whole file, and not to be written to.
                if (File.Exists(path)) return file;
                file.Dispose();
            }
            catch (IOException taken) when (taken.HResult is WouldBlockOfLinux or WouldBlockOfMac or SharingViolationOfWindows)
            {
                throw new CliException(ExitCode.LocalFile, $"{path}: another transfer is writing this file. Wait until it ends, or give another name.");
            }
        }
    }

    /// <summary>Removes what an earlier transfer has left; not what one is writing now.</summary>
    public static void Drop(string path)
    {
        try
        {
            using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, Alone);
            File.Delete(path);
        }
        catch (IOException)
        {
            // It is in use, or gone.
        }
    }
}
