using System.Buffers;
using System.IO.Pipelines;
using Perch.Transport;
using Perch.Wire;

namespace Perch.Protocols.Files;

/// <summary>The bytes of an upload as they come: exactly so many, whatever becomes of them, or all until the stream's end.</summary>
/// <param name="input">Where they come from.</param>
/// <param name="size">Has a read hand out as much as is best stored at once; null where the transport does not know how.</param>
/// <param name="length">How many; null for all until the end.</param>
internal sealed class FileBody(PipeReader input, IReadSizeFeature? size, long? length)
{
    /// <summary>How many have not been taken from the stream.</summary>
    public long Left { get; private set; } = length ?? long.MaxValue;

    /// <summary>Gives them to the upload. The next ones are received while it stores those before, where it has memory for them.</summary>
    /// <exception cref="ProtocolException"><c>truncated</c>: the stream ended before the length. What came is in the upload.</exception>
    public async ValueTask ReceiveAsync(IFileUpload upload, FileMetrics.FileTransfer transfer)
    {
        // What is being stored stays with the reader, before what comes next.
        var (storing, held) = (Task.CompletedTask, 0L);
        try
        {
            for (var isLast = Left == 0; !isLast;)
            {
                var best = upload.BestAppendBytes;
                size?.ReadBytes = best;
                var read = await input.ReadAsync();
                size?.ReadBytes = 0;
                var fresh = read.Buffer.Slice(held, Math.Min(Left, read.Buffer.Length - held));
                Left -= fresh.Length;
                isLast = read.IsCompleted || Left == 0;
                var isOver = true;
                try
                {
                    await storing;
                    transfer.Add(held);
                    storing = fresh.IsEmpty ? Task.CompletedTask : StoreAsync(upload, fresh);
                    if (isLast || best == 0)
                    {
                        await storing;
                        transfer.Add(fresh.Length);
                    }
                    else
                    {
                        isOver = false;
                    }
                }
                finally
                {
                    input.AdvanceTo(isOver ? fresh.End : fresh.Start, fresh.End);
                    held = isOver ? 0 : fresh.Length;
                }
            }
        }
        catch
        {
            // Its bytes are the reader's, and whoever is told of this may end that.
            await storing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        if (length is not null && Left > 0) throw Truncated("; what came can be resumed");
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

    private async Task StoreAsync(IFileUpload upload, ReadOnlySequence<byte> bytes)
    {
        try
        {
            await upload.AppendAsync(bytes);
        }
        catch
        {
            // The peer is told at once: it may have sent all, and wait for the answer.
            input.CancelPendingRead();
            throw;
        }
    }

    private ProtocolException Truncated(string more) => new("truncated", $"The stream ended {Left} bytes before the announced length{more}.");
}
