using System.Runtime.InteropServices;
using Perch.Linux;

namespace Perch.Files.Disk;

/// <summary>Errors of the system as errors of the store.</summary>
internal static class DiskError
{
    /// <param name="errno">The number of the error (errno(3)).</param>
    /// <param name="what">The file or folder, for the message.</param>
    public static FileStoreException Of(int errno, string what)
    {
        var detail = $"{what}: {Marshal.GetPInvokeErrorMessage(errno)}";
        return IsFull(errno) ? FileStoreException.Full(detail) : FileStoreException.Unavailable(detail);
    }

    /// <param name="exception">An error of the framework, whose result is the number of the system.</param>
    /// <param name="what">The file or folder, for the message.</param>
    public static FileStoreException Of(IOException exception, string what) =>
        IsFull(exception.HResult)
            ? FileStoreException.Full($"{what}: {exception.Message}", exception)
            : FileStoreException.Unavailable($"{what}: {exception.Message}", exception);

    private static bool IsFull(int errno) => errno is Posix.ENOSPC or Posix.EDQUOT;
}
