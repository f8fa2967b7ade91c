using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Perch.Endpoints;
using Perch.Files;

namespace Perch.Server.Admin;

/// <summary>
/// <c>PUT</c> of a file, or of a part of it (<see cref="UploadRange"/>). A part never replaces the file: the bytes are in an unfinished
/// upload until the last one is there. An upload that is cut off stays as an unfinished one, as over TCP.
/// </summary>
internal static class FileUploads
{
    private const string IdleTimeout = "Perch:Defaults:Guards:IdleTimeout";

    public static async Task<IResult> PutAsync(HttpContext context, FileStoreService files, IConfiguration configuration, TimeProvider time)
    {
        if (!FileTarget.TryRead(context, out var name, out var fault))
            return FileEndpoints.BadRequest(fault, "name");
        if (!UploadRange.TryRead(context.Request, out var range, out var status, out fault))
            return FileEndpoints.BadRequest(fault, "range", status);
        if (!DigestFields.TryRead(context.Request, range.IsWhole, out var sha256, out fault))
            return FileEndpoints.BadRequest(fault!, "digest");
        if (!RequestConditions.TryRead(context.Request.Headers, out var conditions, out fault))
            return FileEndpoints.BadRequest(fault!, "condition");
        var upload = new FileUploadRequest(name)
        {
            Length = range.Length,
            Offset = range.Offset,
            IsOffsetExact = true,
            Sha256 = sha256,
            Condition = conditions.ForChange,
            Endpoint = FileEndpoints.Admin,
            Remote = Peer(context.Connection),
        };
        RemoveLimits(context);
        using var body = new IdleLimitedReader(context.Request.BodyReader, IdleLimit(configuration), time);
        using var transfer = files.Metrics.BeginUpload(FileEndpoints.Admin);
        try
        {
            var source = new FileBody(body, length: null, isBeating: false);
            var result = await ReceiveAsync(context, await files.GetAsync(), upload, range, source, transfer);
            transfer.Outcome = "completed";
            return result;
        }
        catch (FileStoreException exception)
        {
            transfer.Outcome = exception.Code;
            return FileEndpoints.Refuse(files, exception, context);
        }
    }

    private static async Task<IResult> ReceiveAsync(
        HttpContext context, IFileStore store, FileUploadRequest request, UploadRange range, FileBody body,
        FileMetrics.FileTransfer transfer)
    {
        await using (var upload = await store.BeginAsync(request, context.RequestAborted))
        {
            await body.ReceiveAsync(upload, transfer);
            if (range.IsLast)
            {
                var file = await CompleteAsync(upload);
                context.Response.Headers.ETag = $"\"{file.Sha256}\"";
                return Results.NoContent();
            }
        }

        var durable = (await store.StatAsync(request.Name, context.RequestAborted)).Partial;
        if (durable < range.End)
            throw FileStoreException.Unavailable("A part of an upload could not be made durable");
        FileEndpoints.SetUploadOffset(context.Response, durable);
        return Results.StatusCode(StatusCodes.Status202Accepted);
    }

    private static async Task<StoredFile> CompleteAsync(IFileUpload upload)
    {
        try
        {
            return await upload.CompleteAsync();
        }
        catch (FileStoreException exception) when (exception.Code is "precondition" or "unsupported")
        {
            // The whole file is there, so there is nothing to go on with.
            await upload.AbortAsync();
            throw;
        }
    }

    /// <summary>The store's limits are the limits, and the guard of the other endpoints takes the place of Kestrel's rate.</summary>
    private static void RemoveLimits(HttpContext context)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size)
            size.MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = null;
    }

    private static TimeSpan IdleLimit(IConfiguration configuration) =>
        TimeSpan.TryParse(configuration[IdleTimeout], CultureInfo.InvariantCulture, out var limit) ? limit : new GuardOptions().IdleTimeout;

    private static string Peer(ConnectionInfo connection) => connection.RemoteIpAddress is { } address
        ? new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, connection.RemotePort).ToString()
        : "unix";
}
