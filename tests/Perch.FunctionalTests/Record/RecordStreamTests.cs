using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Perch.FunctionalTests.Hosting;
using Perch.Server.Admin;

namespace Perch.FunctionalTests.Record;

/// <summary><c>/records/stream</c> as a reader of server-sent events sees it, and as one that does not read.</summary>
public sealed class RecordStreamTests
{
    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("lines", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""")
        .With("others", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""");

    [Fact]
    public async Task Stream_CutAndResumed_HasEveryRecordOnce()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await StoreAsync(host, "lines", "one\ntwo\n");
        using (var first = await Reader.OpenAsync(host, "?after=0"))
            Assert.Equal(["one", "two"], await first.ReadAsync(2));
        using var second = await Reader.OpenAsync(host, "", ("Last-Event-ID", "1"));
        await StoreAsync(host, "lines", "three\nfour\n");
        Assert.Equal(["two", "three", "four"], await second.ReadAsync(3));
    }

    [Theory]
    [InlineData("", "2")]
    [InlineData("?after=1", "1")]
    public async Task Stream_BeforeTheFirstEvent_SendsItsPosition(string query, string position)
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await StoreAsync(host, "lines", "one\ntwo\n");
        using var reader = await Reader.OpenAsync(host, query);
        Assert.Equal($"id: {position}", await reader.ReadLineAsync());
        Assert.Equal("", await reader.ReadLineAsync());
    }

    [Theory]
    [InlineData("?after=abc", "after (an id)")]
    [InlineData("?after=", "after (an id)")]
    [InlineData("?after=-1", "after (an id)")]
    [InlineData("?after=1&after=2", "after (an id)")]
    [InlineData("?After=1", "after (an id)")]
    [InlineData("?contains=%00", "Known: after (an id), endpoint, contains.")]
    [InlineData("?order=asc", "Known: after (an id), endpoint, contains.")]
    [InlineData("?limit=5", "Known: after (an id), endpoint, contains.")]
    [InlineData("?since=2026-11-20T00:00:00Z", "Known: after (an id), endpoint, contains.")]
    [InlineData("", "Last-Event-ID", "abc")]
    [InlineData("?after=1", "Last-Event-ID", "-1")]
    public async Task Stream_InvalidPositionOrParameter_IsRefusedWithTheCure(string query, string cure, string? lastEventId = null)
    {
        await using var host = await PerchHost.StartAsync(Settings);
        var (status, body) = await host.Admin.GetAsync($"/records/stream{query}", lastEventId is null ? [] : [("Last-Event-ID", lastEventId)]);
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains(cure, JsonNode.Parse(body)!["detail"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_WithAnEmptyLastEventId_BeginsAfterTheQuerysId()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await StoreAsync(host, "lines", "one\ntwo\n");
        using var reader = await Reader.OpenAsync(host, "?after=1", ("Last-Event-ID", ""));
        Assert.Equal(["two"], await reader.ReadAsync(1));
    }

    [Fact]
    public async Task Stream_WithEndpointAndContains_HasTheMatchingRecordsOnly()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await StoreAsync(host, "lines", "an error\nfine\n");
        await StoreAsync(host, "others", "an error too\n");
        using var reader = await Reader.OpenAsync(host, "?after=0&endpoint=lines&contains=error");
        Assert.Equal(["an error"], await reader.ReadAsync(1));
        await StoreAsync(host, "others", "error elsewhere\n");
        await StoreAsync(host, "lines", "all well\nsecond error\n");
        Assert.Equal(["second error"], await reader.ReadAsync(1));
    }

    [Theory]
    [InlineData("?after=4")]
    [InlineData("", "4")]
    public async Task Stream_IdBeyondTheLast_IsRefusedWithTheLastId(string query, string? lastEventId = null)
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await StoreAsync(host, "lines", "one\ntwo\nthree\n");
        var (status, body) = await host.Admin.GetAsync($"/records/stream{query}", lastEventId is null ? [] : [("Last-Event-ID", lastEventId)]);
        Assert.Equal(HttpStatusCode.Conflict, status);
        Assert.Contains("There is no record 4 yet: the last id is 3.", JsonNode.Parse(body)!["detail"]!.GetValue<string>(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_AfterTheRecordOfTheIdWasDeleted_GoesOn()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        await StoreAsync(host, "lines", "one\ntwo\nthree\n");
        DatabaseFile.Query(Path.Combine(host.Folder.Root, "data", "records.db"), "DELETE FROM logs");
        using var reader = await Reader.OpenAsync(host, "?after=3");
        await StoreAsync(host, "lines", "four\n");
        Assert.Equal(["four"], await reader.ReadAsync(1));
    }

    /// <summary>Its events are longer than what the two sockets hold, so the server cannot write them.</summary>
    [Theory]
    [InlineData("/records/stream?after=0")]
    [InlineData("/records")]
    public async Task Records_ReaderThatDoesNotRead_IsDisconnected(string path)
    {
        var options = new RecordReadOptions { MaxStreams = 1, WriteTimeout = TimeSpan.FromMilliseconds(300) };
        await using var host = await PerchHost.StartAsync(Settings, perch => perch.Services.AddSingleton(options));
        for (var i = 0; i < 12; i++)
            await StoreAsync(host, "lines", new string((char)('a' + i), 1_000_000) + "\n");
        using var idle = await Client.ConnectAsync(new Uri(host.Admin.Url).Port, receiveBuffer: 4096);
        await idle.SendAsync($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await Poll.UntilAsync(() => host.Log.Contains($"{path.Split('?')[0]} took less than 16 KiB", StringComparison.Ordinal), () => host.Log);

        await idle.AwaitEndAsync();
        // Its slot is free.
        using var other = await Reader.OpenAsync(host, "?after=11");
        Assert.Equal('l', Assert.Single(await other.ReadAsync(1))[0]);
    }

    [Theory]
    [InlineData("/records/stream?after=0")]
    [InlineData("/records")]
    public async Task Records_ReaderThatLeaves_IsNoErrorOfTheServer(string path)
    {
        var options = new RecordReadOptions { MaxStreams = 1 };
        await using var host = await PerchHost.StartAsync(Settings, perch => perch.Services.AddSingleton(options));
        for (var i = 0; i < 12; i++)
            await StoreAsync(host, "lines", new string((char)('a' + i), 1_000_000) + "\n");
        using (var leaving = await Client.ConnectAsync(new Uri(host.Admin.Url).Port, receiveBuffer: 4096))
        {
            await leaving.SendAsync($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            Assert.StartsWith("HTTP/1.1 200", await leaving.ReceiveTextAsync(1000), StringComparison.Ordinal);
            leaving.Reset();
        }

        await host.StopAsync();
        Assert.DoesNotContain(" ERR]", host.Log, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_OverTheLimit_IsRefused()
    {
        var options = new RecordReadOptions { MaxStreams = 1 };
        await using var host = await PerchHost.StartAsync(Settings, perch => perch.Services.AddSingleton(options));
        await StoreAsync(host, "lines", "one\n");
        using var first = await Reader.OpenAsync(host, "");
        await first.ReadLineAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await host.Admin.GetAsync("/records/stream")).Status);
        Assert.Equal(1, (await host.Admin.GetMetricsAsync()).Sum("perch_record_streams"));
    }

    private static async Task StoreAsync(PerchHost host, string endpoint, string lines)
    {
        using var client = await host.ConnectAsync(endpoint);
        await client.SendAsync(lines);
        client.EndInput();
        Assert.Equal(lines.Count(c => c == '\n'), (await client.ReceiveTextToEndAsync()).Split("OK ").Length - 1);
    }

    /// <summary>Reads one stream; every wait ends after <see cref="Poll.Deadline"/>.</summary>
    private sealed class Reader : IDisposable
    {
        private readonly HttpClient _http = new();
        private readonly CancellationTokenSource _limit = new(Poll.Deadline);
        private StreamReader _lines = StreamReader.Null;

        public static async Task<Reader> OpenAsync(PerchHost host, string query, params (string Name, string Value)[] headers)
        {
            var reader = new Reader();
            using var request = new HttpRequestMessage(HttpMethod.Get, $"{host.Admin.Url}/records/stream{query}");
            foreach (var (name, value) in headers)
                request.Headers.TryAddWithoutValidation(name, value);
            var response = await reader._http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, reader._limit.Token);
            Assert.Equal((HttpStatusCode.OK, "text/event-stream"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
            reader._lines = new(await response.Content.ReadAsStreamAsync(reader._limit.Token));
            return reader;
        }

        public ValueTask<string?> ReadLineAsync() => _lines.ReadLineAsync(_limit.Token);

        /// <returns>The texts of the next records.</returns>
        public async Task<List<string>> ReadAsync(int count)
        {
            var texts = new List<string>();
            while (texts.Count < count && await ReadLineAsync() is { } line)
            {
                if (line.StartsWith("data: ", StringComparison.Ordinal))
                    texts.Add(JsonNode.Parse(line["data: ".Length..])!["data"]!.GetValue<string>());
            }

            return texts;
        }

        public void Dispose()
        {
            _lines.Dispose();
            _http.Dispose();
            _limit.Dispose();
        }
    }
}
