using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Perch.Transport.Native;

namespace Perch.Transport.Connections;

/// <summary>sendfile(2) until it is done. It may wait for the disk, so it has a thread of the pool and not the loop's.</summary>
internal static class FileSending
{
    /// <summary>What one call sends at most: it can be cancelled in between.</summary>
    private const long MaxBytesPerCall = 4 * 1024 * 1024;

    public static async Task<long> SendAsync(DirectConnection connection, SafeFileHandle file, long offset, long length, CancellationToken cancellationToken)
    {
        if (connection.Loop.IsOnThread) await Task.Yield();
        long sent = 0;
        while (sent < length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var (count, error) = SendOnce(connection, file, offset + sent, Math.Min(length - sent, MaxBytesPerCall));
            if (count > 0)
            {
                sent += count;
                connection.Writer.CountSent(count);
            }
            else if (count == 0) break;
            else if (error == Errno.TryAgain)
            {
                if (connection.Writer.WaitUntilWritable(cancellationToken) is { } wait) await wait;
                // On from the loop.
                await Task.Yield();
            }
            else if (error is Errno.BrokenPipe or Errno.ConnectionReset or Errno.TimedOut)
            {
                connection.FailBySystem(error);
                break;
            }
            else if (error != Errno.Interrupted)
            {
                throw new IOException($"The file could not be sent: {Marshal.GetPInvokeErrorMessage(error)}");
            }

            if (connection.Error is not null) break;
        }

        return sent;
    }

    private static unsafe (long Count, int Error) SendOnce(DirectConnection connection, SafeFileHandle file, long offset, long length)
    {
        if (!connection.Use.TryBegin()) return (0, 0);
        var isHeld = false;
        try
        {
            file.DangerousAddRef(ref isHeld);
            var count = Libc.SendFile(connection.Descriptor, (int)file.DangerousGetHandle(), &offset, (nuint)length);
            return (count, count < 0 ? Marshal.GetLastPInvokeError() : 0);
        }
        finally
        {
            if (isHeld) file.DangerousRelease();
            connection.EndUse();
        }
    }
}
