using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Perch.Protocols.Record;

namespace Perch.Server.Admin;

/// <summary>Reads records back: pages as JSON lines, a live stream of server-sent events, the exact bytes of one.</summary>
internal static class RecordEndpoints
{
    private const int DefaultLimit = 100;
    private const int MostRecords = 10_000;
    private const int FlushThreshold = 64 * 1024;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void MapRecords(this IEndpointRouteBuilder app)
    {
        app.MapGet("/records", (RequestDelegate)GetPageAsync);
        app.MapGet("/records/stream", (HttpContext context, RecordStream stream) => stream.ServeAsync(context));
        app.MapGet("/records/{id:long}/raw", GetRawAsync);
    }

    /// <summary>One record as a line of JSON; <c>exact</c> says that <c>data</c> is the message to the byte.</summary>
    public static byte[] ToJson(StoredRecord record) => JsonSerializer.SerializeToUtf8Bytes(
        new { record.Id, record.ReceivedAt, record.Endpoint, record.Remote, record.Data, Exact = record.Raw is null }, Json);

    private static async Task GetPageAsync(HttpContext context)
    {
        if (!TryReadQuery(context.Request.Query, out var query, out var fault))
        {
            await Results.Problem(fault, statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(context);
            return;
        }

        // A response without a body needs only to know that the store answers.
        if (HttpMethods.IsHead(context.Request.Method))
            query = query with { Limit = 1 };
        context.Response.ContentType = "application/x-ndjson";
        try
        {
            await foreach (var record in context.RequestServices.GetRequiredService<IRecordStore>().ReadAsync(query, context.RequestAborted))
            {
                context.Response.BodyWriter.Write(ToJson(record));
                context.Response.BodyWriter.Write("\n"u8);
                if (context.Response.BodyWriter.UnflushedBytes >= FlushThreshold) await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
            }
        }
        catch (RecordStoreException exception) when (!context.Response.HasStarted)
        {
            await Unavailable(exception).ExecuteAsync(context);
        }
    }

    private static async Task<IResult> GetRawAsync(long id, IRecordStore store, HttpContext context)
    {
        try
        {
            if (await store.FindAsync(id, context.RequestAborted) is not { } record) return Results.NotFound();
            context.Response.Headers.XContentTypeOptions = "nosniff";
            return Results.Bytes(record.Raw ?? Encoding.UTF8.GetBytes(record.Data), "application/octet-stream", $"record-{id}");
        }
        catch (RecordStoreException exception)
        {
            return Unavailable(exception);
        }
    }

    private static IResult Unavailable(RecordStoreException exception) =>
        Results.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable, title: "The store cannot be read now.");

    private static bool TryReadQuery(IQueryCollection given, out RecordQuery query, out string fault)
    {
        query = new() { Limit = DefaultLimit, Endpoint = given["endpoint"], Contains = given["contains"] };
        fault = "";
        foreach (var key in given.Keys)
        {
            var text = given[key].ToString();
            switch (key)
            {
                case "endpoint" or "contains" when !text.Contains('\0', StringComparison.Ordinal):
                    break;
                case "after" when long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var after):
                    query = query with { After = after };
                    break;
                case "limit" when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= MostRecords:
                    query = query with { Limit = limit };
                    break;
                case "since" when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since):
                    query = query with { Since = since };
                    break;
                default:
                    fault = $"'{key}' is not known or its value is not valid. Known: after (an id), limit (1 to {MostRecords}), endpoint, contains, since (such as 2026-11-20T00:00:00Z).";
                    return false;
            }
        }

        return true;
    }
}
