using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text;
using Perch.Records;

namespace Perch.Server.Admin;

/// <summary>
/// <c>GET /records/stream</c>: every record as it becomes durable, as server-sent events (WHATWG HTML, 9.2) whose ids are the records'.
/// The stream begins after <c>Last-Event-ID</c> or <c>after</c>, else after the last record. Its first block has that id and no data, so
/// a reader that is cut off before the first event can come back without missing a record (9.2.6).
/// </summary>
internal sealed class RecordStream : IDisposable
{
    private const int PageRecords = 500;

    /// <summary>A reader that is slow keeps one page in memory: this, and one record more.</summary>
    private const int PageBytes = 64 * 1024;

    /// <summary>The query parameters of the stream.</summary>
    private static readonly string[] Parameters = ["after", "endpoint", "contains"];

    private static readonly TimeSpan KeepAlive = TimeSpan.FromSeconds(15);

    /// <summary>How often a store is polled in which other processes store too.</summary>
    private static readonly TimeSpan SharedPoll = TimeSpan.FromMilliseconds(500);

    private readonly IRecordStore _store;
    private readonly RecordWriter _writer;
    private readonly RecordReadOptions _options;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;
    private readonly Meter _meter;
    private int _streams;
    private int _ready;

    public RecordStream(
        IRecordStore store, RecordWriter writer, RecordReadOptions options, TimeProvider time, IHostApplicationLifetime lifetime,
        IMeterFactory meters)
    {
        (_store, _writer, _options, _time, _stopping) = (store, writer, options, time, lifetime.ApplicationStopping);
        _meter = meters.Create("Perch");
        _meter.CreateObservableUpDownCounter(
            "perch.record.streams", () => Volatile.Read(ref _ready), "{stream}", "Open streams of /records/stream.");
    }

    public async Task ServeAsync(HttpContext context)
    {
        if (!TryReadRequest(context.Request, out var query, out var hasPosition, out var fault))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, fault);
            return;
        }

        try
        {
            var full = $"{_options.MaxStreams} streams are open, which is the limit. Try again later.";
            if (Interlocked.Increment(ref _streams) > _options.MaxStreams)
                await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, full);
            else
                await ServeAsync(context, query, hasPosition);
        }
        finally
        {
            Interlocked.Decrement(ref _streams);
        }
    }

    public void Dispose() => _meter.Dispose();

    private static bool TryReadRequest(HttpRequest request, out RecordQuery query, out bool hasPosition, out string fault)
    {
        hasPosition = request.Query.ContainsKey("after");
        if (!RecordEndpoints.TryReadQuery(request.Query, Parameters, out query, out fault))
            return false;
        // A reader without a last event may send an empty header.
        var text = request.Headers["Last-Event-ID"].ToString().Trim();
        if (text.Length == 0)
            return true;
        if (!RecordEndpoints.TryReadId(text, out var after))
        {
            fault = "The value of Last-Event-ID is not valid: it is the id of a record.";
            return false;
        }

        (query, hasPosition) = (query with { After = after }, true);
        return true;
    }

    private static Task RefuseAsync(HttpContext context, int status, string problem) =>
        Results.Problem(problem, statusCode: status).ExecuteAsync(context);

    private async Task ServeAsync(HttpContext context, RecordQuery query, bool hasPosition)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping);
        try
        {
            if (!hasPosition)
            {
                query = query with { After = await _store.LastIdAsync(ending.Token) };
            }
            else if (await _store.LastGivenIdAsync(ending.Token) is var last && query.After > last)
            {
                var problem = $"There is no record {query.After} yet: the last id is {last}. The id is of another database, or this one was "
                    + $"replaced. Begin after {last} or before.";
                await RefuseAsync(context, StatusCodes.Status409Conflict, problem);
                return;
            }

            context.Response.ContentType = "text/event-stream";
            context.Response.Headers.CacheControl = "no-store";
            if (HttpMethods.IsHead(context.Request.Method))
                return;
            using var output = new BoundedWriter(context.Response.BodyWriter, _options.WriteTimeout, _time, ending.Token);
            await StreamAsync(output, query, ending.Token);
        }
        catch (RecordStoreException exception) when (!context.Response.HasStarted)
        {
            await RefuseAsync(context, StatusCodes.Status503ServiceUnavailable, exception.Message);
        }
        catch (RecordStoreException)
        {
            // The store failed: the reader comes back with the last id.
        }
        catch (OperationCanceledException)
        {
            // The reader left, or the server stops.
        }
        catch (TimeoutException)
        {
            BoundedWriter.Disconnect(context, _options);
        }
    }

    private async Task StreamAsync(BoundedWriter output, RecordQuery query, CancellationToken cancellationToken)
    {
        await output.WriteAsync(Position(query.After));
        await output.FlushAsync();
        Interlocked.Increment(ref _ready);
        try
        {
            await FollowAsync(output, query, cancellationToken);
        }
        finally
        {
            Interlocked.Decrement(ref _ready);
        }
    }

    private async Task FollowAsync(BoundedWriter output, RecordQuery query, CancellationToken cancellationToken)
    {
        var poll = _store.IsShared ? SharedPoll : KeepAlive;
        var isFiltered = query.Endpoint is not null || query.Contains is not null;
        var quiet = TimeSpan.Zero;
        while (true)
        {
            // Taken before the read, so that a commit between the two is not missed.
            var committed = _writer.Committed;
            // Records that do not match are not searched again.
            var searched = isFiltered ? await _store.LastIdAsync(cancellationToken) : 0;
            var page = await ReadPageAsync(query, cancellationToken);
            foreach (var record in page.Events)
                await output.WriteAsync(record);
            await output.FlushAsync();
            query = query with { After = page.IsLast ? Math.Max(page.After, searched) : page.After };
            if (page.Events.Count > 0)
                quiet = TimeSpan.Zero;
            if (!page.IsLast || await Task.WhenAny(committed, Task.Delay(poll, cancellationToken)) == committed)
                continue;
            quiet += poll;
            if (quiet < KeepAlive)
                continue;
            // The database was replaced: the reader comes back with its last id, and gets the reason.
            if (await _store.LastGivenIdAsync(cancellationToken) < query.After)
                return;
            await output.WriteAsync(Position(query.After));
            await output.FlushAsync();
            quiet = TimeSpan.Zero;
        }
    }

    /// <summary>The events of the next records. The records themselves are released before the reader is waited for.</summary>
    private async Task<(List<byte[]> Events, long After, bool IsLast)> ReadPageAsync(RecordQuery query, CancellationToken cancellationToken)
    {
        var (events, after, bytes) = (new List<byte[]>(), query.After, 0);
        await foreach (var record in _store.ReadAsync(query with { Limit = PageRecords }, cancellationToken))
        {
            events.Add(Event(record));
            (after, bytes) = (record.Id, bytes + events[^1].Length);
            if (bytes >= PageBytes)
                return (events, after, false);
        }

        return (events, after, events.Count < PageRecords);
    }

    private static byte[] Event(StoredRecord record) =>
        [.. Encoding.ASCII.GetBytes($"id: {record.Id}\ndata: "), .. RecordEndpoints.ToJson(record), .. "\n\n"u8];

    /// <summary>A block without data: it only sets the reader's last event id.</summary>
    private static byte[] Position(long after) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"id: {after}\n\n"));
}
