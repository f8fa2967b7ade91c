using System.Globalization;
using System.Text;
using Perch.Protocols.Record;

namespace Perch.Server.Admin;

/// <summary>
/// <c>GET /records/stream</c>: every record as it becomes durable, as server-sent events (WHATWG HTML, 9.2) whose ids are
/// the records'. It begins behind <c>Last-Event-ID</c> or <c>after</c>, else with the first record that comes.
/// </summary>
internal sealed class RecordStream(IRecordStore store, RecordWriter writer, IHostApplicationLifetime lifetime)
{
    private const int PageSize = 500;
    private const int MostStreams = 100;

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>How often a store is looked at in which others store too.</summary>
    private static readonly TimeSpan SharedLook = TimeSpan.FromMilliseconds(500);

    private int _streams;

    public async Task ServeAsync(HttpContext context)
    {
        if (Interlocked.Increment(ref _streams) > MostStreams)
        {
            Interlocked.Decrement(ref _streams);
            await Results.Problem($"{MostStreams} streams are open.", statusCode: StatusCodes.Status503ServiceUnavailable).ExecuteAsync(context);
            return;
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        try
        {
            var after = Position(context.Request) ?? await store.LastIdAsync(ending.Token);
            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            if (HttpMethods.IsHead(context.Request.Method)) return;
            await context.Response.BodyWriter.FlushAsync(ending.Token);
            await StreamAsync(context.Response, after, ending.Token);
        }
        catch (RecordStoreException exception) when (!context.Response.HasStarted)
        {
            await Results.Problem(exception.Message, statusCode: StatusCodes.Status503ServiceUnavailable).ExecuteAsync(context);
        }
        catch (Exception exception) when (exception is OperationCanceledException or RecordStoreException)
        {
            // The reader left, the server stops, or the store failed: the reader comes back with the last id.
        }
        finally
        {
            Interlocked.Decrement(ref _streams);
        }
    }

    private async Task StreamAsync(HttpResponse response, long after, CancellationToken cancellationToken)
    {
        var look = store.IsShared ? SharedLook : KeepAlive;
        var quiet = TimeSpan.Zero;
        while (true)
        {
            // Taken before the read, so that a commit between the two is not missed.
            var committed = writer.Committed;
            var count = 0;
            await foreach (var record in store.ReadAsync(new() { After = after, Limit = PageSize }, cancellationToken))
            {
                await response.BodyWriter.WriteAsync(Event(record), cancellationToken);
                after = record.Id;
                count++;
            }

            if (count > 0) quiet = TimeSpan.Zero;
            if (count == PageSize || await Task.WhenAny(committed, Task.Delay(look, cancellationToken)) == committed) continue;
            quiet += look;
            if (quiet < KeepAlive) continue;
            await response.BodyWriter.WriteAsync(": nothing new\n\n"u8.ToArray(), cancellationToken);
            quiet = TimeSpan.Zero;
        }
    }

    private static byte[] Event(StoredRecord record) =>
        [.. Encoding.ASCII.GetBytes($"id: {record.Id}\ndata: "), .. RecordEndpoints.ToJson(record), .. "\n\n"u8];

    private static long? Position(HttpRequest request)
    {
        var text = request.Headers["Last-Event-ID"].FirstOrDefault() ?? request.Query["after"].FirstOrDefault();
        return long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : null;
    }
}
