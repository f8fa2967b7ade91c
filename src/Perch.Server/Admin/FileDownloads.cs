using System.Buffers;
using System.Globalization;
using Microsoft.Net.Http.Headers;
using Perch.Files;
using Perch.Wire.Files;

namespace Perch.Server.Admin;

/// <summary><c>GET</c> and <c>HEAD</c> of a file, with conditions and one range (RFC 9110, sections 13 and 14).</summary>
internal static class FileDownloads
{
    private const int ReadBytes = 64 * 1024;

    public static async Task GetAsync(HttpContext context, FileStoreService files, TimeProvider time)
    {
        if (!FileTarget.TryRead(context, out var name, out var fault))
        {
            await FileEndpoints.BadRequest(fault, "name").ExecuteAsync(context);
            return;
        }

        try
        {
            var store = await files.GetAsync();
            await using var snapshot = await store.OpenReadAsync(name, context.RequestAborted);
            if (snapshot is null || HttpMethods.IsHead(context.Request.Method))
                await AddUploadOffsetAsync(context, store, name);
            if (snapshot is null)
                await FileEndpoints.NotFound().ExecuteAsync(context);
            else
                await AnswerAsync(context, snapshot, files.Metrics, time.GetUtcNow());
        }
        catch (FileStoreException exception)
        {
            await FileEndpoints.Refuse(files, exception, context).ExecuteAsync(context);
        }
    }

    /// <summary>The answer with the offset at which a client can resume an upload.</summary>
    private static async Task AddUploadOffsetAsync(HttpContext context, IFileStore store, FileName name)
    {
        if ((await store.StatAsync(name, context.RequestAborted)).Partial is var durable and > 0)
            FileEndpoints.SetUploadOffset(context.Response, durable);
    }

    private static async Task AnswerAsync(HttpContext context, IFileSnapshot snapshot, FileMetrics metrics, DateTimeOffset now)
    {
        var (request, response, file) = (context.Request, context.Response, snapshot.File);
        RequestConditions.TryRead(request.Headers, out var conditions, out _);
        response.Headers.ETag = $"\"{file.Sha256}\"";
        response.Headers.LastModified = HeaderUtilities.FormatDate(file.Modified);
        if (conditions.StatusOf(file) is { } status)
        {
            response.StatusCode = status;
            if (status == StatusCodes.Status412PreconditionFailed)
                await FileEndpoints.Failed(FileStoreException.Precondition(), status).ExecuteAsync(context);
            return;
        }

        var range = RequestConditions.IsRangeOf(request.Headers.IfRange, file, now) ? ByteRange.Read(request, file.Length) : null;
        response.Headers.AcceptRanges = "bytes";
        if (range is { Length: 0 })
        {
            response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes */{file.Length}");
            response.StatusCode = StatusCodes.Status416RangeNotSatisfiable;
            return;
        }

        SetContent(response, file, range);
        if (HttpMethods.IsHead(request.Method))
            return;
        using var transfer = metrics.BeginDownload(FileEndpoints.Admin);
        await SendAsync(context, snapshot, range ?? new(0, file.Length), transfer);
    }

    private static void SetContent(HttpResponse response, StoredFile file, ByteRange? range)
    {
        response.ContentType = "application/octet-stream";
        response.ContentLength = range?.Length ?? file.Length;
        if (range is not null)
        {
            response.StatusCode = StatusCodes.Status206PartialContent;
            var last = range.Offset + range.Length - 1;
            response.Headers.ContentRange = string.Create(CultureInfo.InvariantCulture, $"bytes {range.Offset}-{last}/{file.Length}");
        }

        var disposition = new ContentDispositionHeaderValue("attachment");
        disposition.SetHttpFileName(file.Name.Segments()[^1]);
        response.Headers.ContentDisposition = disposition.ToString();
        // A browser neither guesses the type of the content nor runs it.
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers.ContentSecurityPolicy = "sandbox";
    }

    private static async Task SendAsync(HttpContext context, IFileSnapshot snapshot, ByteRange range, FileMetrics.FileTransfer transfer)
    {
        // The reads are not the response's memory: Kestrel takes that back when the client leaves.
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            for (var (at, end) = (range.Offset, range.Offset + range.Length); at < end;)
            {
                var read = await snapshot.ReadAsync(at, buffer.AsMemory(0, (int)Math.Min(buffer.Length, end - at)), context.RequestAborted);
                await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
                transfer.Add(read);
                at += read;
            }

            if (!context.RequestAborted.IsCancellationRequested)
                transfer.Outcome = "completed";
        }
        catch (FileStoreException exception)
        {
            transfer.Outcome = exception.Code;
            throw;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
