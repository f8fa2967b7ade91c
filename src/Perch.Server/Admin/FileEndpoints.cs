using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Perch.Files;
using Perch.Wire.Files;

namespace Perch.Server.Admin;

/// <summary>The files over HTTP (RFC 9110): pages as JSON lines, downloads with ranges and conditions, uploads, deletes.</summary>
internal static class FileEndpoints
{
    /// <summary>The endpoint's name in metrics and in what is known of a file.</summary>
    public const string Admin = "admin";

    private const string UploadOffset = "Upload-Offset";
    private const int DefaultLimit = 1000;
    private const int MostFiles = 10_000;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void MapFiles(this IEndpointRouteBuilder app)
    {
        app.MapGet("/files", GetPageAsync);
        app.MapGet("/files/{**name}", FileDownloads.GetAsync);
        app.MapPut("/files/{**name}", FileUploads.PutAsync);
        app.MapDelete("/files/{**name}", DeleteAsync);
    }

    /// <summary>Durable bytes of an unfinished upload. It changes, so no cache keeps the response.</summary>
    public static void SetUploadOffset(HttpResponse response, long durable)
    {
        response.Headers[UploadOffset] = durable.ToString(CultureInfo.InvariantCulture);
        response.Headers.CacheControl = "no-store";
    }

    public static IResult BadRequest(string fault, string title, int status = StatusCodes.Status400BadRequest) =>
        Results.Problem(fault, title: title, statusCode: status);

    public static IResult NotFound() => Results.Problem("there is no file of this name", title: "not-found", statusCode: StatusCodes.Status404NotFound);

    public static IResult Failed(FileStoreException exception, int status) => Results.Problem(exception.Text, title: exception.Code, statusCode: status);

    /// <summary>The answer to a request that the store refused. A response that has begun can only be cut off.</summary>
    public static IResult Refuse(FileStoreService files, FileStoreException exception, HttpContext context)
    {
        files.Failed(exception);
        if (context.Response.HasStarted)
        {
            context.Abort();
            return Results.Empty;
        }

        // What a response had before it failed does not go with the reason.
        context.Response.Clear();
        if (exception.Code == "offset")
            SetUploadOffset(context.Response, exception.DurableBytes);
        var status = StatusOf(exception);
        if (status == StatusCodes.Status503ServiceUnavailable)
            context.Response.Headers.RetryAfter = "1";
        return Failed(exception, status);
    }

    private static int StatusOf(FileStoreException exception) => exception.Code switch
    {
        "name" => StatusCodes.Status400BadRequest,
        "quota" or "full" => StatusCodes.Status507InsufficientStorage,
        "conflict" or "superseded" or "offset" => StatusCodes.Status409Conflict,
        "precondition" => StatusCodes.Status412PreconditionFailed,
        "checksum" => StatusCodes.Status422UnprocessableEntity,
        "corrupt" => StatusCodes.Status500InternalServerError,
        "unsupported" => StatusCodes.Status501NotImplemented,
        _ => StatusCodes.Status503ServiceUnavailable,
    };

    private static async Task GetPageAsync(HttpContext context, FileStoreService files)
    {
        if (!TryReadQuery(context.Request.Query, out var prefix, out var after, out var limit, out var fault))
        {
            await Results.Problem(fault, statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(context);
            return;
        }

        // A response without a body needs only to know that the store answers.
        if (HttpMethods.IsHead(context.Request.Method))
            limit = 1;
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
        catch (FileStoreException exception)
        {
            await Refuse(files, exception, context).ExecuteAsync(context);
        }
    }

    private static async Task<IResult> DeleteAsync(HttpContext context, FileStoreService files)
    {
        if (!FileTarget.TryRead(context, out var name, out var fault))
            return BadRequest(fault, "name");
        if (!RequestConditions.TryRead(context.Request.Headers, out var conditions, out fault))
            return BadRequest(fault!, "condition");
        try
        {
            if (!await (await files.GetAsync()).DeleteAsync(name, conditions.ForChange, context.RequestAborted))
                return NotFound();
            files.Metrics.Deleted(Admin);
            return Results.NoContent();
        }
        catch (FileStoreException exception)
        {
            return Refuse(files, exception, context);
        }
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
