using System.Net;
using System.Text;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Perch.FunctionalTests.Files;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Admin;

/// <summary>A client that is slow, broken or gone is answered or dropped, and is no fault of the server.</summary>
public sealed class ClientFaultTests
{
    private const string Line = """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n", "MaxMessageBytes": 1000000 } }""";

    [Fact]
    public async Task Put_BodyThatIsSilentForIdleTimeout_IsATimeoutAndCanBeResumed()
    {
        // Without its own limit the upload would end at Kestrel's rate, and with another text.
        await using var http = await FileHttp.StartAsync(
            settings => settings.Guards = """{ "IdleTimeout": "00:00:04" }""",
            perch => perch.Services.Configure<KestrelServerOptions>(kestrel => kestrel.Limits.MinRequestBodyDataRate = new(bytesPerSecond: 1e9, TimeSpan.FromSeconds(1.1))));
        using (var client = await http.ConnectAsync())
        {
            await client.SendAsync(FileHttp.Head("PUT", "/files/a", "Content-Length: 10\r\n") + "01234");
            var response = "";
            while (!response.Contains("Upload-Offset", StringComparison.Ordinal))
            {
                var next = await client.ReceiveTextAsync(1);
                Assert.NotEmpty(next);
                response += next;
            }

            Assert.StartsWith("HTTP/1.1 408 ", response, StringComparison.Ordinal);
        }

        Assert.Equal((HttpStatusCode.NotFound, 5), await http.OffsetAsync(HttpMethod.Head, "/files/a"));
        await AssertNoErrorAsync(http.Host);
    }

    [Fact]
    public async Task Put_BodyThatIsBroken_IsABadRequest()
    {
        await using var http = await FileHttp.StartAsync();
        using var client = await http.ConnectAsync();
        await client.SendAsync(FileHttp.Head("PUT", "/files/a", "Transfer-Encoding: chunked\r\n") + "5\r\n01234\r\n");
        await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, "/files/a")).Offset == 5, () => "the bytes came");
        await client.SendAsync("ZZ\r\n");
        Assert.StartsWith("HTTP/1.1 400 ", await client.ReceiveTextToEndAsync(), StringComparison.Ordinal);
        Assert.Equal((HttpStatusCode.NotFound, 5), await http.OffsetAsync(HttpMethod.Head, "/files/a"));
        await AssertNoErrorAsync(http.Host);
    }

    [Fact]
    public async Task Put_BodyThatEndsEarly_IsNoError()
    {
        await using var http = await FileHttp.StartAsync();
        using var client = await http.ConnectAsync();
        await client.SendAsync(FileHttp.Head("PUT", "/files/a", "Content-Length: 10\r\n") + "01234");
        await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, "/files/a")).Offset == 5, () => "the bytes came");
        client.EndInput();
        await client.AwaitEndAsync();
        Assert.Equal((HttpStatusCode.NotFound, 5), await http.OffsetAsync(HttpMethod.Head, "/files/a"));
        await AssertNoErrorAsync(http.Host);
    }

    [Fact]
    public async Task Put_ClientThatLeaves_IsNoError()
    {
        await using var http = await FileHttp.StartAsync();
        // Many, because the server may hear of the reset by its read or by the abort of the request.
        await Task.WhenAll(Enumerable.Range(0, 20).Select(async i =>
        {
            using var client = await http.ConnectAsync();
            await client.SendAsync(FileHttp.Head("PUT", $"/files/{i}", "Content-Length: 10\r\n") + "01234");
            await Poll.UntilAsync(async () => (await http.OffsetAsync(HttpMethod.Head, $"/files/{i}")).Offset == 5, () => "the bytes came");
            client.Reset();
            await Poll.UntilAsync(() => http.Host.Log.Contains($"PUT /files/{i} of 127.0.0.1 was answered 499", StringComparison.Ordinal), () => http.Host.Log);
        }));
        await AssertNoErrorAsync(http.Host);
    }

    /// <summary>Every path whose response is longer than the buffers of both sides.</summary>
    [Theory]
    [InlineData("/files/large")]
    [InlineData("/records?limit=10000")]
    [InlineData("/records/stream?after=0")]
    [InlineData("/records/1/raw")]
    [InlineData("/files?limit=10000")]
    public async Task Get_ClientThatLeavesInTheMiddle_IsNoError(string path)
    {
        await using var http = await FileHttp.StartAsync(settings => settings.With("line", Line));
        await FillAsync(http, path);
        using (var client = await Client.ConnectAsync(new Uri(http.Host.Admin.Url).Port, receiveBuffer: 4096))
        {
            await client.SendAsync(FileHttp.Head("GET", path, ""));
            Assert.Equal("HTTP/1.1 200 OK", await client.ReceiveTextAsync(15));
            client.Reset();
        }

        await Poll.UntilAsync(() => http.Host.Log.Contains($"GET {path.Split('?')[0]} of ", StringComparison.Ordinal), () => http.Host.Log);
        await AssertNoErrorAsync(http.Host);
    }

    private static async Task FillAsync(FileHttp http, string path)
    {
        if (path == "/files/large") await http.PutAsync("/files/large", new byte[32_000_000]);
        if (path.StartsWith("/files?", StringComparison.Ordinal))
            for (var i = 0; i < 50; i++) await http.PutAsync($"/files/{i}", []);
        if (!path.StartsWith("/records", StringComparison.Ordinal)) return;
        using var client = await http.Host.ConnectAsync("line");
        for (var i = 1; i < 10; i++)
        {
            await client.SendAsync(Encoding.ASCII.GetBytes(new string('x', 990_000) + "\n"));
            Assert.Equal($"OK {i}\n", await client.ReceiveTextAsync(5));
        }
    }

    /// <summary>A request that ends after this has been logged: nothing of the earlier ones is to come.</summary>
    private static async Task AssertNoErrorAsync(PerchHost host)
    {
        await host.StopAsync();
        Assert.False(host.Log.Contains(" ERR]", StringComparison.Ordinal), host.Log);
        Assert.DoesNotContain("   at ", host.Log, StringComparison.Ordinal);
    }
}
