using System.Runtime.InteropServices;
using Perch.Wire;

namespace Perch.Cli.Files;

/// <summary>The type of what a path leads to. Opening a FIFO waits for its other side, so the type is read before.</summary>
internal static partial class LocalPath
{
    private const int StatusBytes = 256;
    private const int ModeOffset = 4;
    private const int TypeMask = 0xF000;
    private const int Fifo = 0x1000;
    private const int CharacterDevice = 0x2000;
    private const int Folder = 0x4000;
    private const int BlockDevice = 0x6000;
    private const int Regular = 0x8000;
    private const int Socket = 0xC000;
    private const int NoEntry = 2;

    /// <summary>A decoder puts it for bytes that are not UTF-8, and the name does not lead to the file any more.</summary>
    private const char Replacement = '\uFFFD';

    /// <returns>Null for a regular file; else the reason why it cannot be used as one, without the path.</returns>
    public static string? Fault(string path)
    {
        if (OperatingSystem.IsWindows())
            return File.Exists(path) ? null : "there is no such file or folder";
        return TryGetType(path, out var type) ? TypeFault(type) : MissingFault(path, Marshal.GetLastPInvokeError());
    }

    /// <summary>Refuses to put a file in the place of a FIFO, a socket, a device or a folder.</summary>
    /// <exception cref="CliException">The path exists and is not a regular file.</exception>
    public static void RequireReplaceable(string path)
    {
        if (!OperatingSystem.IsWindows() && TryGetType(path, out var type) && TypeFault(type) is { } fault)
            throw new CliException(ExitCode.LocalFile, $"{PeerText.Escape(path)}: {fault}.");
    }

    private static bool TryGetType(string path, out int type)
    {
        var status = new byte[StatusBytes];
        var isThere = Stat(path, status) == 0;
        type = BitConverter.ToInt32(status, ModeOffset) & TypeMask;
        return isThere;
    }

    private static string? TypeFault(int type) => type switch
    {
        Regular => null,
        Folder => "a folder, and not a file",
        Fifo => "not a regular file: it is a FIFO",
        Socket => "not a regular file: it is a socket",
        CharacterDevice or BlockDevice => "not a regular file: it is a device",
        _ => "not a regular file",
    };

    private static string MissingFault(string path, int error)
    {
        if (error != NoEntry)
            return Marshal.GetPInvokeErrorMessage(error);
        if (new FileInfo(path).LinkTarget is { } target)
            return $"a link to {PeerText.Escape(target)}, which does not exist";
        return path.Contains(Replacement, StringComparison.Ordinal) ? "its name is not UTF-8" : "there is no such file or folder";
    }

    /// <summary>The runtime's own stat, which has one layout on all systems: int flags, int mode, ...</summary>
    [LibraryImport("libSystem.Native", EntryPoint = "SystemNative_Stat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(string path, [Out] byte[] status);
}
