using System.IO.Pipelines;
using Perch.Wire;

namespace Perch.Protocols.Files;

/// <summary>The bytes behind a <c>PUT</c>: exactly so many, whatever becomes of them.</summary>
internal sealed class FileBody(PipeReader input, long length)
{
    /// <summary>How many have not been taken from the stream.</summary>
    public long Left { get; private set; } = length;

    /// <summary>Gives them to the upload.</summary>
    /// <exception cref="ProtocolException"><c>truncated</c>: the stream ended before. What came is in the upload.</exception>
    public async ValueTask ReceiveAsync(IFileUpload upload, FileMetrics.FileTransfer transfer)
    {
        while (Left > 0)
        {
            var read = await input.ReadAsync();
            var bytes = read.Buffer.Slice(0, Math.Min(Left, read.Buffer.Length));
            try
            {
                Left -= bytes.Length;
                if (!bytes.IsEmpty) await upload.AppendAsync(bytes);
                transfer.Add(bytes.Length);
            }
            finally
            {
                input.AdvanceTo(bytes.End);
            }

            if (read.IsCompleted && Left > 0) throw Truncated("; what came can be resumed");
        }
    }

    /// <summary>Passes over what is left.</summary>
    /// <exception cref="ProtocolException"><c>truncated</c>.</exception>
    public async ValueTask SkipAsync()
    {
        while (Left > 0)
        {
            var read = await input.ReadAsync();
            var bytes = read.Buffer.Slice(0, Math.Min(Left, read.Buffer.Length));
            Left -= bytes.Length;
            input.AdvanceTo(bytes.End);
            if (read.IsCompleted && Left > 0) throw Truncated("");
        }
    }

    private ProtocolException Truncated(string more) => new("truncated", $"The stream ended {Left} bytes before the announced length{more}.");
}
