using Perch.Files;
using Perch.Wire.Files;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>A request that was granted: its place in the table, and the file that it is for. Disposed when it is done, whatever became of it.</summary>
internal sealed class TftpJob(TftpTransfer transfer, TftpRequest request, FileName name) : IAsyncDisposable
{
    public TftpTransfer Transfer { get; } = transfer;

    public TftpRequest Request { get; } = request;

    public FileName Name { get; } = name;

    /// <summary>The file of a read.</summary>
    public IFileSnapshot? File { get; init; }

    /// <summary>The file that a write makes.</summary>
    public IFileUpload? Upload { get; private set; }

    /// <summary>Begins the upload of a write, with the length that is reserved for it or null.</summary>
    public Func<long?, Task<IFileUpload>>? BeginUpload { get; init; }

    /// <summary>The length that the peer has announced. What netascii announces is not what will be stored.</summary>
    private long? Announced => Request.Mode == TftpMode.Octet && Request.Options.TransferSize is > 0 ? Request.Options.TransferSize : null;

    /// <summary>Begins the upload for a peer that may be forged: nothing is reserved.</summary>
    /// <param name="maxBytes">The longest file that the store takes; 0 for any.</param>
    /// <exception cref="FileStoreException">The store refuses the upload.</exception>
    public async Task BeginAsync(long maxBytes)
    {
        if (maxBytes > 0 && Announced > maxBytes) throw new FileStoreException("quota", $"a file has at most {maxBytes} bytes");
        Upload = await BeginUpload!(null);
    }

    /// <summary>Called with the first block: the peer is there, so the announced length is reserved.</summary>
    /// <exception cref="FileStoreException">There is no room for it.</exception>
    public async ValueTask ReserveAsync()
    {
        if (Announced is not { } announced) return;
        await DropAsync();
        Upload = await BeginUpload!(announced);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (File is not null) await File.DisposeAsync();
            await DropAsync();
        }
        catch (FileStoreException)
        {
            // The store tells its trouble itself; an upload that stays is deleted after Files:AbandonAfter.
        }
        finally
        {
            Transfer.Dispose();
        }
    }

    /// <summary>Drops the upload, because TFTP cannot resume one. A completed upload is not affected.</summary>
    private async Task DropAsync()
    {
        if (Upload is not { } upload) return;
        Upload = null;
        await upload.AbortAsync();
        await upload.DisposeAsync();
    }
}
