using System.Net;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

public sealed class RecordTests
{
    private static ServerSettings Settings => new ServerSettings { Log = "Warning" }
        .With("once", """{ "Port": 0, "Protocol": "record", "Options": { "Once": true, "Ack": "データ送信とDB保存完了" } }""")
        .With("lines", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "Deduplicate": true } }""")
        .With("sized", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Length", "Ack": "OK {id}\n", "MaxMessageBytes": 1048576 } }""");

    [Fact]
    public async Task Once_TutorialsClient_IsAnsweredAndStored()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("once");
        await client.SendAsync("hi\n");

        Assert.Equal("データ送信とDB保存完了", await client.ReceiveTextToEndAsync());
        var record = Assert.Single(await RecordReader.AllAsync(host.Admin));
        Assert.Equal(("hi\n", "once", true), (record["data"]!.GetValue<string>(), record["endpoint"]!.GetValue<string>(), record["exact"]!.GetValue<bool>()));
    }

    [Fact]
    public async Task Sized_AnyBytes_ComeBackExactly()
    {
        byte[][] messages =
        [
            "'); DROP TABLE logs; --"u8.ToArray(), [0], "a\0b"u8.ToArray(), [0xFF, 0xFE, (byte)'x', 0xC3], [],
            [.. Enumerable.Range(0, 1024 * 1024).Select(i => (byte)(i * 31))],
        ];
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("sized");
        foreach (var message in messages) await client.SendAsync(Framed(message));
        client.EndInput();

        var answers = (await client.ReceiveTextToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(messages.Length, answers.Length);
        using var http = new HttpClient();
        foreach (var (message, answer) in messages.Zip(answers))
            Assert.Equal(message, await http.GetByteArrayAsync(new Uri($"{host.Admin.Url}/records/{answer["OK ".Length..]}/raw")));
    }

    [Fact]
    public async Task Lines_SameKeyTwice_IsStoredOnceAndAcknowledgedTwice()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("lines");

        Assert.Equal("OK 1\nOK 1\nOK 2\n", await client.AskAsync("@till-7/1 first\n@till-7/1 first\n@till-7/2 second\n", 15));
        Assert.Equal("OK 2\n", await client.AskAsync("@till-7/2 second\n", 5));
        Assert.Equal(["first", "second"], (await RecordReader.AllAsync(host.Admin)).Select(r => r["data"]!.GetValue<string>()));
    }

    [Fact]
    public async Task Records_Queries_ArePagedFilteredAndChecked()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("lines");
        using var other = await host.ConnectAsync("once");
        await client.SendAsync(string.Concat(Enumerable.Range(1, 50).Select(i => $"line {i}\n")));
        client.EndInput();
        await client.ReceiveToEndAsync();
        await other.AskAsync("100%_", 100);

        Assert.Equal([21, 22, 23], (await RecordReader.PageAsync(host.Admin, "after=20&limit=3")).Select(r => r["id"]!.GetValue<long>()));
        Assert.Equal("100%_", Assert.Single(await RecordReader.PageAsync(host.Admin, "endpoint=once"))["data"]!.GetValue<string>());
        // 5 and 50; the percent sign and the underscore of the other are letters like any.
        Assert.Equal(2, (await RecordReader.PageAsync(host.Admin, "contains=line%205")).Count);
        Assert.Single(await RecordReader.PageAsync(host.Admin, "contains=0%25_"));
        Assert.Empty(await RecordReader.PageAsync(host.Admin, "since=2999-01-01T00:00:00Z"));
        Assert.Equal(51, (await RecordReader.PageAsync(host.Admin, "since=2000-01-01T00:00:00Z")).Count);
        foreach (var bad in (string[])["after=-1", "limit=0", "limit=x", "since=soon", "order=asc"])
            Assert.Equal(HttpStatusCode.BadRequest, (await host.Admin.GetAsync($"/records?{bad}")).Status);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Admin.GetAsync("/records/999/raw")).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Admin.GetAsync("/records", ("Host", "records.example"))).Status);
    }

    [Fact]
    public async Task Records_Last_AreTheNewestThatMatch()
    {
        await using var host = await PerchHost.StartAsync(Settings);
        using var client = await host.ConnectAsync("lines");
        using var other = await host.ConnectAsync("once");
        await client.SendAsync("rare\n" + string.Concat(Enumerable.Range(2, 49).Select(i => $"line {i}\n")));
        client.EndInput();
        await client.ReceiveToEndAsync();
        await other.AskAsync("other", 100);

        Assert.Equal(["line 49", "line 50", "other"], await LastAsync("last=3"));
        Assert.Equal(["line 49", "line 50"], await LastAsync("last=2&endpoint=lines"));
        Assert.Equal(["rare"], await LastAsync("last=1&contains=rare"));
        Assert.Equal(["rare"], await LastAsync("last=9&contains=rare"));
        Assert.Equal(["other"], await LastAsync("last=10&after=50"));
        Assert.Empty(await LastAsync("last=10&contains=nothing"));
        foreach (var bad in (string[])["last=0", "last=10001", "last=x", "last=1&limit=1", "contains=a&contains=b"])
            Assert.Equal(HttpStatusCode.BadRequest, (await host.Admin.GetAsync($"/records?{bad}")).Status);

        async Task<IEnumerable<string>> LastAsync(string query) =>
            (await RecordReader.PageAsync(host.Admin, query)).Select(record => record["data"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("{}", true)]
    [InlineData("""{ "Retention": { "MaxAge": "7.00:00:00" } }""", false)]
    [InlineData("""{ "Retention": { "MaxRows": 1000 } }""", false)]
    public async Task Start_WithoutRetention_WarnsAndMeasuresTheDatabase(string records, bool warns)
    {
        var settings = Settings;
        settings.Records = records;
        await using var host = await PerchHost.StartAsync(settings);
        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Sum("perch_record_store_size_bytes") > 0, () => "the size is measured");
        Assert.Equal(warns, host.Log.Contains("Records are never deleted", StringComparison.Ordinal));
    }

    private static byte[] Framed(byte[] message)
    {
        var framed = new byte[4 + message.Length];
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(framed, message.Length);
        message.CopyTo(framed, 4);
        return framed;
    }
}
