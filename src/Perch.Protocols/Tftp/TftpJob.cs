using Perch.Protocols.Files;
using Perch.Wire.Files;
using Perch.Wire.Tftp;

namespace Perch.Protocols.Tftp;

/// <summary>A request that was granted: its place in the table, and the file that it is for. Disposed when it is done, whatever became of it.</summary>
internal sealed class TftpJob(TftpTransfer transfer, TftpRequest request, FileName name) : IAsyncDisposable
{
    public TftpTransfer Transfer { get; } = transfer;

    public TftpRequest Request { get; } = request;

    public FileName Name { get; } = name;

    /// <summary>The file of a read.</summary>
    public IFileSnapshot? File { get; init; }

    /// <summary>The file that a write makes.</summary>
    public IFileUpload? Upload { get; init; }

    public async ValueTask DisposeAsync()
    {
        try
        {
            if (File is not null) await File.DisposeAsync();
            if (Upload is null) return;
            // TFTP cannot go on where it was cut off. Where it is completed there is nothing to drop.
            await Upload.AbortAsync();
            await Upload.DisposeAsync();
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
}
