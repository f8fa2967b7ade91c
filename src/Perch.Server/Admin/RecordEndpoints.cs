using System.Globalization;
using System.Text;
using System.Text.Json;
using Perch.Records;

namespace Perch.Server.Admin;

/// <summary>Reads records back: pages as JSON lines, a live stream of server-sent events, the exact bytes of one.</summary>
internal static class RecordEndpoints
{
    private const int DefaultLimit = 100;
    private const int MostRecords = 10_000;

    /// <summary>The query parameters of <c>/records</c>, as an error shows them.</summary>
    private static readonly Dictionary<string, string> Parameters = new(StringComparer.Ordinal)
    {
        ["after"] = "after (an id)",
        ["limit"] = $"limit (1 to {MostRecords})",
        ["last"] = $"last (1 to {MostRecords}, instead of limit)",
        ["endpoint"] = "endpoint",
        ["contains"] = "contains",
        ["since"] = "since (such as 2026-11-20T00:00:00Z)",
    };

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void MapRecords(this IEndpointRouteBuilder app)
    {
        app.MapGet("/records", (RequestDelegate)GetPageAsync);
        // Created now, so that its metric exists before the first request.
        var stream = app.ServiceProvider.GetRequiredService<RecordStream>();
        app.MapGet("/records/stream", (HttpContext context) => stream.ServeAsync(context));
        app.MapGet("/records/{id:long}/raw", GetRawAsync).WithQuery();
    }

    /// <summary>One record as a line of JSON; <c>exact</c> says that <c>data</c> is the message to the byte.</summary>
    public static byte[] ToJson(StoredRecord record) => JsonSerializer.SerializeToUtf8Bytes(
        new { record.Id, record.ReceivedAt, record.Endpoint, record.Remote, record.Data, Exact = record.Raw is null }, Json);

    private static async Task GetPageAsync(HttpContext context)
    {
        if (!TryReadQuery(context.Request.Query, Parameters.Keys, out var query, out var fault))
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
            var store = context.RequestServices.GetRequiredService<IRecordStore>();
            if (context.Request.Query.ContainsKey("last"))
                query = query with { After = await NewestRecords.FindStartAsync(store, query, context.RequestAborted) };
            var options = context.RequestServices.GetRequiredService<RecordReadOptions>();
            var time = context.RequestServices.GetRequiredService<TimeProvider>();
            using var output = new BoundedWriter(context.Response.BodyWriter, options.WriteTimeout, time, context.RequestAborted);
            await foreach (var record in store.ReadAsync(query, context.RequestAborted))
                await output.WriteAsync((byte[])[.. ToJson(record), (byte)'\n']);
            await output.FlushAsync();
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The reader left, which is no error of the server.
        }
        catch (TimeoutException)
        {
            BoundedWriter.Disconnect(context, context.RequestServices.GetRequiredService<RecordReadOptions>());
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

    /// <summary>Reads the parameters <paramref name="known"/>; every other one is a fault, so that a misspelt one is not ignored.</summary>
    public static bool TryReadQuery(IQueryCollection given, ICollection<string> known, out RecordQuery query, out string fault)
    {
        query = new() { Limit = DefaultLimit, Endpoint = given["endpoint"], Contains = given["contains"] };
        fault = "";
        foreach (var key in given.Keys)
        {
            var text = given[key].ToString();
            switch (key)
            {
                case var _ when !known.Contains(key) || given[key].Count != 1:
                    goto default;
                case "endpoint" or "contains" when !text.Contains('\0', StringComparison.Ordinal):
                    break;
                case "after" when TryReadId(text, out var after):
                    query = query with { After = after };
                    break;
                case "limit" when !given.ContainsKey("last") && TryReadLimit(text, out var limit):
                    query = query with { Limit = limit };
                    break;
                case "last" when TryReadLimit(text, out var last):
                    query = query with { Limit = last };
                    break;
                case "since" when DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var since):
                    query = query with { Since = since };
                    break;
                default:
                    var cure = string.Join(", ", known.Select(name => Parameters[name]));
                    fault = $"'{key}' is not known or its value is not valid. Known: {cure}.";
                    return false;
            }
        }

        return true;
    }

    public static bool TryReadId(string text, out long id) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out id);

    private static bool TryReadLimit(string text, out int limit) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out limit) && limit is >= 1 and <= MostRecords;
}
