using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Perch.Linux;

/// <summary>
/// The calls of Linux that the framework lacks: those that name a file by an open folder, so that no link between the root and
/// the file can lead elsewhere, and those that make names durable.
/// </summary>
public static partial class Posix
{
    public const int ENOENT = 2, ENXIO = 6, EWOULDBLOCK = 11, EEXIST = 17, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENOSPC = 28, ELOOP = 40, ENOTEMPTY = 39, EDQUOT = 122;

    public const int ReadWrite = 2, Create = 0x40, Exclusive = 0x80, CloseOnExec = 0x80000;

    public const int PathOnly = 0x200000;

    /// <summary>A pipe that somebody planted does not hold the open.</summary>
    public const int NonBlocking = 0x800;

    /// <summary>Those of <see cref="Open"/> that differ between the architectures.</summary>
    public static readonly OpenFlags Flags = OpenFlags.Of(RuntimeInformation.ProcessArchitecture);

    public const int AtRemoveDir = 0x200, AtSymlinkNoFollow = 0x100, AtEmptyPath = 0x1000;

    public const uint TypeMask = 0xF000, TypeRegular = 0x8000, TypeFolder = 0x4000;

    private const uint StatxBasic = 0x7FF;

    /// <summary><c>AT_FDCWD</c>, a number that no file has.</summary>
    private static readonly SafeFileHandle CurrentFolder = new(-100, ownsHandle: false);

    private static volatile bool _canReadNow = true;

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int Open(string path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int OpenAt(SafeFileHandle folder, string name, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int MakeFolderAt(SafeFileHandle folder, string name, uint mode);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int UnlinkAt(SafeFileHandle folder, string name, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    public static partial int RenameAt(SafeFileHandle from, string fromName, SafeFileHandle to, string toName);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    public static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "ftruncate", SetLastError = true)]
    public static partial int Truncate(SafeFileHandle file, long length);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    public static partial int Lock(SafeFileHandle file, int operation);

    /// <summary>Asks the system to begin writing what is dirty, and does not wait.</summary>
    [LibraryImport("libc", EntryPoint = "sync_file_range", SetLastError = true)]
    public static partial int SyncRange(SafeFileHandle file, long offset, long length, uint flags);

    [LibraryImport("libc", EntryPoint = "preadv2", SetLastError = true)]
    private static unsafe partial nint ReadVector(SafeFileHandle file, Vector* vectors, int count, long offset, int flags);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(SafeFileHandle folder, string name, int flags, uint mask, out FileStatusBlock status);

    /// <summary>Reads what the system has in memory, and does not wait for the disk (preadv2(2), <c>RWF_NOWAIT</c>).</summary>
    /// <returns>How many bytes; 0 or less where it would have to wait, or cannot.</returns>
    public static unsafe int ReadNow(SafeFileHandle file, Span<byte> buffer, long offset)
    {
        const int NoWait = 8;
        if (!_canReadNow) return -1;
        try
        {
            fixed (byte* start = buffer)
            {
                var vector = new Vector { Start = start, Length = (nuint)buffer.Length };
                return (int)ReadVector(file, &vector, 1, offset, NoWait);
            }
        }
        catch (EntryPointNotFoundException)
        {
            // An old C library.
            _canReadNow = false;
            return -1;
        }
    }

    /// <returns>0, or what went wrong.</returns>
    public static int Stat(SafeFileHandle folder, string name, int flags, out FileStatusBlock status) =>
        Statx(folder, name, flags, StatxBasic, out status) == 0 ? 0 : Marshal.GetLastPInvokeError();

    /// <returns>The inode of the file that an absolute path names; 0 if there is none, or it cannot be seen.</returns>
    public static ulong InodeOf(string path) => Stat(CurrentFolder, path, 0, out var status) == 0 ? status.Inode : 0;

    /// <summary>Flags of open(2), by the names of asm/fcntl.h: O_DIRECTORY, O_NOFOLLOW, O_DIRECT.</summary>
    public sealed record OpenFlags(int Folder, int NoFollow, int Direct)
    {
        public static OpenFlags Of(Architecture architecture) =>
            architecture is Architecture.Arm or Architecture.Arm64 ? new(0x4000, 0x8000, 0x10000) : new(0x10000, 0x20000, 0x4000);
    }

    /// <summary><c>struct iovec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Vector
    {
        public byte* Start;
        public nuint Length;
    }

    /// <summary><c>struct statx</c>, the same on every architecture (statx(2)).</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    public struct FileStatusBlock
    {
        [FieldOffset(28)]
        private readonly ushort _mode;

        [FieldOffset(32)]
        public readonly ulong Inode;

        [FieldOffset(40)]
        public readonly long Size;

        [FieldOffset(112)]
        private readonly long _modifiedSeconds;

        public readonly bool IsRegular => (_mode & TypeMask) == TypeRegular;

        public readonly bool IsFolder => (_mode & TypeMask) == TypeFolder;

        public readonly DateTimeOffset Modified => DateTimeOffset.FromUnixTimeSeconds(_modifiedSeconds);
    }
}
