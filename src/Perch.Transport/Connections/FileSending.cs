using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;

namespace Perch.Transport.Connections;

/// <summary>
/// sendfile(2) of what is in memory, on the loop: it never waits for the disk there. After each wait for the peer it looks
/// again, since what was in memory may have had to go meanwhile.
/// </summary>
internal static class FileSending
{
    public static async Task<long> SendAsync(DirectConnection connection, SafeFileHandle file, long offset, long length, CancellationToken cancellationToken)
    {
        using var pages = ResidentPages.TryMap(file, offset, length);
        var writer = connection.Writer;
        for (long sent = 0; ;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var resident = sent < length && pages is not null ? pages.Count(offset + sent) : 0;
            if (resident == 0 || connection.Error is not null) return sent;
            var (count, error) = SendOnce(connection, file, offset + sent, resident);
            if (count > 0)
            {
                sent += count;
                writer.CountSent(count);
            }
            else if (count == 0)
            {
                return sent;
            }
            else if (error is Errno.BrokenPipe or Errno.ConnectionReset or Errno.TimedOut)
            {
                connection.FailBySystem(error);
                return sent;
            }
            else if (error is not (Errno.TryAgain or Errno.Interrupted))
            {
                throw new IOException($"The file could not be sent: {Marshal.GetPInvokeErrorMessage(error)}");
            }

            // Fewer than asked for is all that the socket takes, and all of it more than others wait for.
            if (count < resident && writer.WaitUntilWritable(cancellationToken) is { } wait) await wait;
            else if (writer.HasHadItsTurn) await writer.YieldAsync();
        }
    }

    private static unsafe (long Count, int Error) SendOnce(DirectConnection connection, SafeFileHandle file, long offset, long length)
    {
        if (!connection.Use.TryBegin(out var descriptor)) return (0, 0);
        try
        {
            var count = Libc.SendFile(descriptor, file, &offset, (nuint)length);
            return (count, count < 0 ? Marshal.GetLastPInvokeError() : 0);
        }
        finally
        {
            connection.EndUse();
        }
    }
}
