using System.Globalization;
using System.Net;
using System.Text;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Files;

/// <summary>A server with files over HTTP, and a client with its key.</summary>
internal sealed class FileHttp : IAsyncDisposable
{
    public const string Key = "correct horse battery staple";

    private readonly HttpClient _http;

    private FileHttp(PerchHost host)
    {
        Host = host;
        _http = new() { BaseAddress = new(host.Admin.Url), Timeout = Poll.Deadline };
        _http.DefaultRequestHeaders.Add("X-Api-Key", Key);
    }

    public PerchHost Host { get; }

    public static async Task<FileHttp> StartAsync(Action<ServerSettings>? configure = null, Action<PerchBuilder>? protocols = null)
    {
        var settings = new ServerSettings { ApiKey = Key };
        configure?.Invoke(settings);
        return new(await PerchHost.StartAsync(settings, protocols));
    }

    /// <summary>Sends a request; the caller disposes the response.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = new ByteArrayContent(body);
        foreach (var (name, value) in headers)
            if (!request.Headers.TryAddWithoutValidation(name, value)) request.Content!.Headers.TryAddWithoutValidation(name, value);
        return await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    public async Task<HttpStatusCode> StatusAsync(HttpMethod method, string path, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        using var response = await SendAsync(method, path, body, headers);
        return response.StatusCode;
    }

    public async Task<HttpStatusCode> PutAsync(string path, byte[] body, params (string Name, string Value)[] headers)
    {
        using var response = await SendAsync(HttpMethod.Put, path, body, headers);
        return response.StatusCode;
    }

    /// <summary>Sends bytes as the part of a file that begins at an offset.</summary>
    /// <returns>The status, and <c>Upload-Offset</c>; -1 without it.</returns>
    public async Task<(HttpStatusCode Status, long Offset)> PutPartAsync(string path, byte[] part, long offset, long length)
    {
        using var response = await SendAsync(HttpMethod.Put, path, part, ("Content-Range", $"bytes {offset}-{offset + part.Length - 1}/{length}"));
        return (response.StatusCode, OffsetOf(response));
    }

    public async Task<byte[]> GetAsync(string path)
    {
        using var response = await SendAsync(HttpMethod.Get, path);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.Content.ReadAsByteArrayAsync();
    }

    public async Task<(HttpStatusCode Status, long Offset)> OffsetAsync(HttpMethod method, string path)
    {
        using var response = await SendAsync(method, path);
        return (response.StatusCode, OffsetOf(response));
    }

    /// <summary>Connects a socket for literal requests.</summary>
    public Task<Client> ConnectAsync() => Client.ConnectAsync(new Uri(Host.Admin.Url).Port);

    /// <summary>Sends one literal request; the server closes the connection after the response.</summary>
    /// <returns>The response.</returns>
    public async Task<string> SendLiteralAsync(string method, string target, string headers = "", string body = "")
    {
        using var client = await ConnectAsync();
        await client.SendAsync(Head(method, target, $"Connection: close\r\n{headers}") + body);
        return Encoding.Latin1.GetString(await client.ReceiveToEndAsync());
    }

    /// <summary>The head of a literal request.</summary>
    /// <param name="method">The method.</param>
    /// <param name="target">The request target.</param>
    /// <param name="headers">Lines with their ends.</param>
    public static string Head(string method, string target, string headers) => $"{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Api-Key: {Key}\r\n{headers}\r\n";

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Host.DisposeAsync();
    }

    private static long OffsetOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Upload-Offset", out var values) ? long.Parse(values.Single(), CultureInfo.InvariantCulture) : -1;
}
