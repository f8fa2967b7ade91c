using System.Net;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>The admin requests that are allowed: by key, by address, and by the signs of a proxy or of another site.</summary>
public sealed class AdminAccessTests
{
    private const string Echo = """{ "Port": 0, "Protocol": "echo" }""";
    private const string Key = "correct horse battery staple";

    private static readonly string[] Guarded = ["/endpoints", "/connections", "/connections/recent", "/records", "/records/stream", "/records/1/raw", "/files", "/files/x"];

    private static readonly string[] Open = ["/health/live", "/health/ready", "/metrics"];

    /// <summary>Requests that a loopback address does not vouch for. They are refused without a key, and need nothing more than the key with one.</summary>
    public static TheoryData<string, string> OfProxiesAndNames => new()
    {
        { "X-Forwarded-For", "127.0.0.1" },
        { "X-Forwarded-Host", "localhost" },
        { "X-Forwarded-Proto", "https" },
        { "X-Real-IP", "127.0.0.1" },
        { "Forwarded", "for=127.0.0.1" },
        { "Via", "1.1 proxy" },
        { "CF-Connecting-IP", "127.0.0.1" },
        { "Host", "perch.example.com" },
        { "Host", "127.0.0.1.example.com:8080" },
        { "Host", "localhost.example.com" },
        { "Host", "other.internal:8080" },
    };

    /// <summary>Headers of a browser that sends a request for a page of another origin.</summary>
    public static TheoryData<string, string> OfAnotherSite => new()
    {
        { "Origin", "https://evil.example" },
        { "Origin", "null" },
        { "Origin", "http://127.0.0.1" },
        { "Origin", "http://localhost:3000" },
        { "Sec-Fetch-Site", "cross-site" },
        { "Sec-Fetch-Site", "same-site" },
    };

    [Fact]
    public async Task WithAKey_FromThisMachine_EveryRequestButHealthAndMetricsNeedsIt()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key }.With("echo", Echo));
        using var keyless = new AdminClient(host.Admin.Url);
        foreach (var path in Guarded)
        {
            var (status, body) = await keyless.GetAsync(path);
            Assert.Equal((path, HttpStatusCode.Unauthorized), (path, status));
            var detail = JsonNode.Parse(body)!["detail"]!.GetValue<string>();
            foreach (var named in (string[])["X-Api-Key", "Authorization: Bearer", "PERCH_API_KEY", "this machine"]) Assert.Contains(named, detail, StringComparison.Ordinal);
            Assert.DoesNotContain(Key, body, StringComparison.Ordinal);
        }

        foreach (var method in (HttpMethod[])[HttpMethod.Put, HttpMethod.Delete])
            Assert.Equal(HttpStatusCode.Unauthorized, (await keyless.SendAsync(method, "/files/x")).Status);
        foreach (var path in Open) Assert.Equal(HttpStatusCode.OK, (await keyless.GetAsync(path)).Status);
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync("/endpoints")).Status);
    }

    [Theory]
    [InlineData("Authorization", $"Bearer {Key}", HttpStatusCode.OK)]
    [InlineData("Authorization", $"bearer {Key}", HttpStatusCode.OK)]
    [InlineData("X-Api-Key", Key, HttpStatusCode.OK)]
    [InlineData("X-Api-Key", Key + "x", HttpStatusCode.Unauthorized)]
    [InlineData("X-Api-Key", "", HttpStatusCode.Unauthorized)]
    [InlineData("Authorization", "Bearer wrong", HttpStatusCode.Unauthorized)]
    [InlineData("Authorization", "Bearer", HttpStatusCode.Unauthorized)]
    [InlineData("Authorization", $"Basic {Key}", HttpStatusCode.Unauthorized)]
    [InlineData("Authorization", Key, HttpStatusCode.Unauthorized)]
    public async Task WithAKey_EachFormOfIt_IsJudged(string header, string value, HttpStatusCode expected)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key });
        using var keyless = new AdminClient(host.Admin.Url);
        Assert.Equal(expected, (await keyless.GetAsync("/endpoints", (header, value))).Status);
    }

    [Theory]
    [MemberData(nameof(OfProxiesAndNames))]
    public async Task ProxyOrUnknownHost_WithoutAConfiguredKey_IsRefused(string header, string value)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { Hosts = ["perch.internal"] });
        foreach (var key in (string[])["", "x", "null"])
        {
            var (status, body) = await host.Admin.GetAsync("/endpoints", (header, value), ("X-Api-Key", key));
            Assert.Equal(HttpStatusCode.Unauthorized, status);
            Assert.Contains("Set Admin:ApiKey", body, StringComparison.Ordinal);
        }

        foreach (var path in Open) Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync(path, (header, value))).Status);
    }

    [Theory]
    [MemberData(nameof(OfProxiesAndNames))]
    public async Task ProxyOrUnknownHost_WithTheKey_IsServed(string header, string value)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key });
        using var keyless = new AdminClient(host.Admin.Url);
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync("/endpoints", (header, value))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await keyless.GetAsync("/endpoints", (header, value))).Status);
    }

    /// <summary>nginx's proxy_pass alone sends no header that a client does not send, but HTTP/1.0.</summary>
    [Fact]
    public async Task Http10_WithoutAKey_IsTakenForAProxy()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings());
        using var client = await Client.ConnectAsync(new Uri(host.Admin.Url).Port);
        await client.SendAsync("GET /endpoints HTTP/1.0\r\nHost: 127.0.0.1:8080\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", await client.ReceiveTextToEndAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(OfAnotherSite))]
    public async Task OtherSite_WithAndWithoutAKey_IsForbidden(string header, string value)
    {
        await using var open = await PerchHost.StartAsync(new ServerSettings());
        await using var keyed = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key });
        foreach (var path in Guarded)
        {
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, (await open.Admin.GetAsync(path, (header, value))).Status));
            Assert.Equal((path, HttpStatusCode.Forbidden), (path, (await keyed.Admin.GetAsync(path, (header, value))).Status));
        }

        Assert.Equal(HttpStatusCode.Forbidden, (await keyed.Admin.SendAsync(HttpMethod.Delete, "/files/x", (header, value))).Status);
    }

    [Theory]
    [InlineData("Host", "localhost")]
    [InlineData("Host", "LOCALHOST:8080")]
    [InlineData("Host", "127.0.0.1")]
    [InlineData("Host", "192.0.2.7:8080")]
    [InlineData("Host", "[::1]:8080")]
    [InlineData("Host", "perch.internal:8080")]
    [InlineData("Host", "Perch.Internal")]
    [InlineData("Origin", "http://perch.internal")]
    [InlineData("Sec-Fetch-Site", "same-origin")]
    [InlineData("Sec-Fetch-Site", "none")]
    public async Task ThisMachine_WithoutAKey_MayReadAndNotWrite(string header, string value)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { Hosts = ["perch.internal"] }.With("files", """{ "Port": 0, "Protocol": "files" }"""));
        foreach (var path in (string[])["/endpoints", "/connections", "/connections/recent", "/files"])
            Assert.Equal((path, HttpStatusCode.OK), (path, (await host.Admin.GetAsync(path, (header, value))).Status));
        foreach (var method in (HttpMethod[])[HttpMethod.Put, HttpMethod.Delete, HttpMethod.Post, HttpMethod.Patch])
        {
            var (status, body) = await host.Admin.SendAsync(method, "/files/x", (header, value));
            Assert.Contains(status, (HttpStatusCode[])[HttpStatusCode.Unauthorized, HttpStatusCode.MethodNotAllowed]);
            if (method == HttpMethod.Put || method == HttpMethod.Delete) Assert.Contains("Set Admin:ApiKey", body, StringComparison.Ordinal);
        }
    }

    /// <summary>A page that is served under the address of the endpoint itself, also on a port that the Host header has.</summary>
    [Fact]
    public async Task Origin_OfThisHost_IsServed()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings());
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync("/endpoints", ("Origin", host.Admin.Url.TrimEnd('/')))).Status);
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetAsync("/endpoints", ("Host", "localhost:8080"), ("Origin", "http://localhost:8080"))).Status);
    }

    [Fact]
    public async Task Hosts_AsOneValueWithCommas_AreKnown()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { Hosts = ["a.internal, b.internal:8443"] });
        Assert.Equal(HttpStatusCode.Unauthorized, (await host.Admin.GetAsync("/endpoints", ("Host", "c.internal"))).Status);
        using var folder = new ServerFolder(new ServerSettings());
        await using var server = await ServerProcess.StartAsync(folder, new Dictionary<string, string> { ["Admin__Hosts"] = "a.internal, b.internal:8443" });
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetAsync("/endpoints", ("Host", "a.internal:1"))).Status);
        Assert.Equal(HttpStatusCode.OK, (await server.Admin.GetAsync("/endpoints", ("Host", "b.internal"))).Status);
        Assert.Equal(HttpStatusCode.Unauthorized, (await server.Admin.GetAsync("/endpoints", ("Host", "c.internal"))).Status);
    }

    /// <summary>A socket's Host header is what the client makes up; the mode of its file decides which users connect.</summary>
    [Fact]
    public async Task UnixSocket_WithoutAKey_IsThisMachine()
    {
        using var folder = new ServerFolder();
        var path = Path.Combine(folder.Root, "admin.sock");
        await using var host = await PerchHost.StartAsync(new ServerSettings { AdminUrl = $"http://unix:{path}" });
        using var http = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, token) => ConnectAsync(path, token) });
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, HttpMethod.Get, "http://anything/endpoints"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(http, HttpMethod.Delete, "http://anything/files/x"));
        http.DefaultRequestHeaders.Add("X-Forwarded-For", "203.0.113.9");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(http, HttpMethod.Get, "http://anything/endpoints"));
    }

    [Fact]
    public async Task UnixSocket_WithAKey_NeedsIt()
    {
        using var folder = new ServerFolder();
        var path = Path.Combine(folder.Root, "admin.sock");
        await using var host = await PerchHost.StartAsync(new ServerSettings { AdminUrl = $"http://unix:{path}", ApiKey = Key });
        using var http = new HttpClient(new SocketsHttpHandler { ConnectCallback = (_, token) => ConnectAsync(path, token) });
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(http, HttpMethod.Get, "http://localhost/endpoints"));
        http.DefaultRequestHeaders.Add("X-Api-Key", Key);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(http, HttpMethod.Get, "http://localhost/endpoints"));
    }

    /// <summary>Readiness needs no key, so to a request without the rights for <c>/endpoints</c> it shows names and no more.</summary>
    [Fact]
    public async Task Ready_WithoutTheKey_ShowsNeitherPathsNorReasons()
    {
        using var folder = new ServerFolder();
        var file = Path.Combine(folder.Root, "file");
        await File.WriteAllTextAsync(file, "");
        await using var host = await PerchHost.StartAsync(new ServerSettings { ApiKey = Key, Files = $$"""{ "Path": "{{file}}/files" }""" }
            .With("files", """{ "Port": 0, "Protocol": "files" }""")
            .With("local", $$"""{ "UnixSocket": "{{folder.Root}}/echo.sock", "Protocol": "echo" }"""));
        await Poll.UntilAsync(async () => (await host.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable, () => "the store cannot be opened");

        using var keyless = new AdminClient(host.Admin.Url);
        var (status, body) = await keyless.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.DoesNotContain(folder.Root, body, StringComparison.Ordinal);
        Assert.Equal("""{"status":"Unhealthy"}""", JsonNode.Parse(body)!["checks"]!["files"]!.ToJsonString());
        Assert.Equal("""[{"name":"files","protocol":"files","state":"Listening"},{"name":"local","protocol":"echo","state":"Listening"}]""",
            JsonNode.Parse(body)!["endpoints"]!.ToJsonString());

        var (_, all) = await host.Admin.GetAsync("/health/ready");
        Assert.Contains($"{file}/files", all, StringComparison.Ordinal);
        Assert.Contains("echo.sock", all, StringComparison.Ordinal);
    }

    private static async ValueTask<Stream> ConnectAsync(string path, CancellationToken cancellationToken)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellationToken);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient http, HttpMethod method, string url)
    {
        using var request = new HttpRequestMessage(method, url);
        using var response = await http.SendAsync(request);
        return response.StatusCode;
    }
}
