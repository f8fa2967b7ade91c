using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Perch.Protocols.Files;
using Perch.Wire.Files;

namespace Perch.Server.Admin;

/// <summary>The files over HTTP (RFC 9110): pages as JSON lines, downloads with ranges and conditions, uploads, deletes.</summary>
internal static class FileEndpoints
{
    private const string Admin = "admin";
    private const int DefaultLimit = 1000;
    private const int MostFiles = 10_000;
    private const int HashBytes = 32;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void MapFiles(this IEndpointRouteBuilder app)
    {
        app.MapGet("/files", GetPageAsync);
        app.MapMethods("/files/{**name}", [HttpMethods.Get, HttpMethods.Head], GetAsync);
        app.MapPut("/files/{**name}", PutAsync).AddEndpointFilter<AdminKeyFilter>();
        app.MapDelete("/files/{**name}", DeleteAsync).AddEndpointFilter<AdminKeyFilter>();
    }

    private static async Task GetPageAsync(HttpContext context, FileStoreService files)
    {
        if (!TryReadQuery(context.Request.Query, out var prefix, out var after, out var limit, out var fault))
        {
            await Results.Problem(fault, statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(context);
            return;
        }

        try
        {
            var store = await files.GetAsync();
            for (var left = limit; left > 0;)
            {
                // Page by page, so that no answer is held whole.
                var page = await store.ListAsync(prefix, after, Math.Min(left, DefaultLimit), context.RequestAborted);
                if (!context.Response.HasStarted) context.Response.ContentType = "application/x-ndjson";
                foreach (var file in page)
                {
                    context.Response.BodyWriter.Write(JsonSerializer.SerializeToUtf8Bytes(new { Name = file.Name.Value, file.Length, file.Sha256, file.Modified, file.Endpoint, file.Remote }, Json));
                    context.Response.BodyWriter.Write("\n"u8);
                }

                await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
                if (page.Count < Math.Min(left, DefaultLimit)) return;
                (left, after) = (left - page.Count, page[^1].Name.Value);
            }
        }
        catch (FileStoreException exception) when (!context.Response.HasStarted)
        {
            await Refuse(files, exception).ExecuteAsync(context);
        }
    }

    private static async Task<IResult> GetAsync(string name, HttpContext context, FileStoreService files)
    {
        if (!FileName.TryParse(name, out var parsed, out var fault)) return BadName(fault);
        try
        {
            var store = await files.GetAsync();
            if (await store.OpenReadAsync(parsed, context.RequestAborted) is not { } snapshot) return Results.NotFound();
            var transfer = files.Metrics.BeginDownload(Admin);
            context.Response.RegisterForDispose(transfer);
            context.Response.OnCompleted(() =>
            {
                if (!context.RequestAborted.IsCancellationRequested) transfer.Outcome = "completed";
                return Task.CompletedTask;
            });
            // A browser neither guesses what it is nor runs it.
            context.Response.Headers.XContentTypeOptions = "nosniff";
            context.Response.Headers.ContentSecurityPolicy = "sandbox";
            var file = snapshot.File;
            return Results.Stream(new SnapshotStream(snapshot, transfer), "application/octet-stream", parsed.Segments()[^1], file.Modified,
                new EntityTagHeaderValue($"\"{file.Sha256}\""), enableRangeProcessing: true);
        }
        catch (FileStoreException exception)
        {
            return Refuse(files, exception);
        }
    }

    private static async Task<IResult> PutAsync(string name, HttpContext context, FileStoreService files)
    {
        if (!FileName.TryParse(name, out var parsed, out var fault)) return BadName(fault);
        if (!TryReadDigest(context.Request, out var sha256)) return Results.Problem("Repr-Digest (RFC 9530) has to be sha-256=:<base64>:.", statusCode: StatusCodes.Status400BadRequest);
        // The store's limits are the limits.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = null;
        using var transfer = files.Metrics.BeginUpload(Admin);
        try
        {
            var store = await files.GetAsync();
            await using var upload = await store.BeginAsync(
                new(parsed) { Length = context.Request.ContentLength, Sha256 = sha256, Endpoint = Admin, Remote = Peer(context.Connection) },
                context.RequestAborted);
            var file = await ReceiveAsync(context.Request, upload, transfer);
            transfer.Outcome = "completed";
            context.Response.Headers.ETag = $"\"{file.Sha256}\"";
            return Results.NoContent();
        }
        catch (FileStoreException exception)
        {
            transfer.Outcome = exception.Code;
            return Refuse(files, exception);
        }
    }

    private static string Peer(ConnectionInfo connection) => connection.RemoteIpAddress is { } address
        ? new IPEndPoint(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address, connection.RemotePort).ToString()
        : "unix";

    private static async Task<StoredFile> ReceiveAsync(HttpRequest request, IFileUpload upload, FileMetrics.FileTransfer transfer)
    {
        try
        {
            await new FileBody(request.BodyReader, length: null, isBeating: false).ReceiveAsync(upload, transfer);
            return await upload.CompleteAsync();
        }
        catch (FileStoreException)
        {
            // HTTP has no way to go on with it.
            await upload.AbortAsync();
            throw;
        }
    }

    private static async Task<IResult> DeleteAsync(string name, HttpContext context, FileStoreService files)
    {
        if (!FileName.TryParse(name, out var parsed, out var fault)) return BadName(fault);
        try
        {
            if (!await (await files.GetAsync()).DeleteAsync(parsed, context.RequestAborted)) return Results.NotFound();
            files.Metrics.Deleted(Admin);
            return Results.NoContent();
        }
        catch (FileStoreException exception)
        {
            return Refuse(files, exception);
        }
    }

    private static IResult Refuse(FileStoreService files, FileStoreException exception)
    {
        files.Failed(exception);
        return Results.Problem(exception.Text, title: exception.Code, statusCode: exception.Code switch
        {
            "name" => StatusCodes.Status400BadRequest,
            "quota" or "full" => StatusCodes.Status507InsufficientStorage,
            "conflict" or "superseded" => StatusCodes.Status409Conflict,
            "checksum" => StatusCodes.Status422UnprocessableEntity,
            "corrupt" => StatusCodes.Status500InternalServerError,
            _ => StatusCodes.Status503ServiceUnavailable,
        });
    }

    private static IResult BadName(string fault) => Results.Problem(fault, title: "name", statusCode: StatusCodes.Status400BadRequest);

    /// <returns>False where there is a header that is not understood.</returns>
    private static bool TryReadDigest(HttpRequest request, out string? sha256)
    {
        sha256 = null;
        if (request.Headers["Repr-Digest"].FirstOrDefault() is not { } digest) return true;
        const string Begin = "sha-256=:";
        var hash = new byte[HashBytes];
        if (!digest.StartsWith(Begin, StringComparison.OrdinalIgnoreCase) || !digest.EndsWith(':') || digest.Length <= Begin.Length
            || !Convert.TryFromBase64String(digest[Begin.Length..^1], hash, out var length) || length != HashBytes) return false;
        sha256 = Convert.ToHexStringLower(hash);
        return true;
    }

    private static bool TryReadQuery(IQueryCollection given, out string prefix, out string after, out int limit, out string? fault)
    {
        (prefix, after, limit, fault) = ("", "", DefaultLimit, null);
        foreach (var key in given.Keys)
        {
            var text = given[key].ToString();
            var isGood = key switch
            {
                "prefix" => FileName.TryParsePrefix(text, out prefix, out fault),
                "after" => FileName.TryParsePrefix(text, out after, out fault),
                "limit" => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MostFiles,
                _ => false,
            };
            if (isGood) continue;
            fault ??= $"'{key}' is not known or its value is not valid. Known: prefix, after (a name), limit (1 to {MostFiles}).";
            return false;
        }

        return true;
    }
}
