using Microsoft.Win32.SafeHandles;
using Perch.Transport;

namespace Perch.Connections;

/// <summary>Counts what is sent of files; all of a call is one wait for the peer, so its length is what the write timeout is for.</summary>
internal sealed class CountingSendFile(ISendFileFeature inner, ConnectionState state) : ISendFileFeature
{
    public async Task<long> SendFileAsync(SafeFileHandle file, long offset, long length, CancellationToken cancellationToken = default)
    {
        state.BeginFlushWait();
        try
        {
            var sent = await inner.SendFileAsync(file, offset, length, cancellationToken);
            state.BytesSent += sent;
            return sent;
        }
        finally
        {
            state.EndFlushWait();
        }
    }
}
