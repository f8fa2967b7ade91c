using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Perch.FunctionalTests.Files;

namespace Perch.FunctionalTests.Admin;

/// <summary>Every path that serves <c>GET</c> serves <c>HEAD</c> (RFC 9110, section 9.1).</summary>
public sealed class HeadTests
{
    [Fact]
    public async Task Head_OfEveryGetEndpoint_IsTheResponseToGetWithoutItsBody()
    {
        await using var http = await FileHttp.StartAsync(settings => settings.With("line", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }"""));
        await http.PutAsync("/files/a", [1, 2, 3]);
        using (var client = await http.Host.ConnectAsync("line")) Assert.Equal("OK 1\n", await client.AskAsync("x\n", 5));

        var paths = http.Host.Services.GetServices<EndpointDataSource>().SelectMany(source => source.Endpoints).OfType<RouteEndpoint>().Where(ServesGet).Select(PathOf).ToArray();
        Assert.Superset(new HashSet<string> { "/metrics", "/records", "/records/stream", "/records/1/raw", "/endpoints", "/connections", "/files", "/files/a", "/health/ready" }, paths.ToHashSet());
        foreach (var path in paths)
        {
            using var get = await http.SendAsync(HttpMethod.Get, path);
            Assert.True(get.IsSuccessStatusCode, $"GET {path}: {get.StatusCode}");
            using var head = await http.SendAsync(HttpMethod.Head, path);
            Assert.Equal(
                (path, get.StatusCode, get.Content.Headers.ContentType?.ToString(), get.Headers.ETag, get.Headers.CacheControl?.ToString()),
                (path, head.StatusCode, head.Content.Headers.ContentType?.ToString(), head.Headers.ETag, head.Headers.CacheControl?.ToString()));
            // Ends: a HEAD of the stream does not wait for records.
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }
    }

    [Fact]
    public async Task Head_Refused_HasTheStatusOfGet()
    {
        await using var http = await FileHttp.StartAsync();
        foreach (var path in (string[])["/records?limit=0", "/records?contains=%00", "/records?endpoint=%00", "/records?contains=a%00", "/files?limit=0", "/files/%ff", "/files/none", "/nothing"])
            Assert.Equal((path, await http.StatusAsync(HttpMethod.Get, path)), (path, await http.StatusAsync(HttpMethod.Head, path)));
    }

    private static bool ServesGet(RouteEndpoint endpoint) => endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods.Contains(HttpMethods.Get) != false;

    private static string PathOf(RouteEndpoint endpoint) => "/" + string.Join('/', endpoint.RoutePattern.PathSegments.Select(
        segment => string.Concat(segment.Parts.Select(part => part switch
        {
            Microsoft.AspNetCore.Routing.Patterns.RoutePatternLiteralPart literal => literal.Content,
            Microsoft.AspNetCore.Routing.Patterns.RoutePatternParameterPart { Name: "id" } => "1",
            _ => "a",
        }))));
}
