using Microsoft.AspNetCore.Connections;

namespace Perch.Files;

/// <summary>
/// Resumes an upload. The store may have to read its bytes first, which takes long; that ends with the connection, which is watched in the
/// meantime.
/// </summary>
internal sealed class ResumedBegin(IFileStore store, FileBody body, CancellationToken connectionClosed)
{
    /// <exception cref="FileStoreException">The refusal of the store.</exception>
    /// <exception cref="Wire.ProtocolException"><c>truncated</c>: the stream ended before the announced length.</exception>
    /// <exception cref="ConnectionResetException">The connection ended.</exception>
    public async ValueTask<IFileUpload> BeginAsync(FileUploadRequest request)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(connectionClosed);
        var begin = store.BeginAsync(request, gone.Token);
        try
        {
            await body.WatchAsync(begin, gone);
        }
        catch
        {
            await gone.CancelAsync();
            await LeaveAsync(begin);
            throw;
        }

        try
        {
            return await begin;
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            throw connectionClosed.IsCancellationRequested
                ? new ConnectionResetException("The connection ended while its upload was read.")
                : body.Truncated();
        }
    }

    /// <summary>Leaves an upload that nothing follows, as soon as it has begun. The error that is on its way is the one to report.</summary>
    private static async ValueTask LeaveAsync(Task<IFileUpload> begin)
    {
        try
        {
            await using var upload = await begin;
        }
        catch (Exception exception) when (exception is FileStoreException or OperationCanceledException)
        {
            // There is none to leave.
        }
    }
}
