using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;
using Perch.Cli.Net;
using Perch.Wire;

namespace Perch.Cli.Admin;

/// <summary>Asks a server's admin endpoint over HTTP.</summary>
internal sealed class AdminLink : IDisposable
{
    private const int MostAnswerBytes = 64 * 1024 * 1024;
    private const int MostLineBytes = 64 * 1024 * 1024;

    private readonly HttpClient _http;
    private readonly TimeSpan _timeout;
    private readonly bool _hasKey;

    public AdminLink(Uri url, string? apiKey, TimeSpan timeout)
    {
        Url = url;
        _timeout = timeout;
        _http = new(new SocketsHttpHandler { ConnectTimeout = timeout, AllowAutoRedirect = false, UseCookies = false }) { BaseAddress = url, Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MostAnswerBytes };
        _hasKey = !string.IsNullOrEmpty(apiKey);
        if (_hasKey) _http.DefaultRequestHeaders.TryAddWithoutValidation("X-Api-Key", apiKey);
    }

    public Uri Url { get; }

    /// <param name="path">What to ask for.</param>
    /// <param name="accept">Answers beside 200 that have a body to read.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CliException">It cannot be asked, refuses, or answers no JSON.</exception>
    public async Task<JsonNode> GetJsonAsync(string path, HttpStatusCode accept, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(path, accept, cancellationToken);
        try
        {
            return JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken).WaitAsync(_timeout, cancellationToken)) ?? throw NoPerch();
        }
        catch (JsonException)
        {
            throw NoPerch();
        }
        catch (TimeoutException)
        {
            throw Silence();
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException)
        {
            throw Cut();
        }
    }

    /// <summary>The lines of an answer as they come.</summary>
    /// <param name="path">What to ask for.</param>
    /// <param name="silence">The longest pause between two reads.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CliException">As of <see cref="GetJsonAsync"/>, or it ends too early.</exception>
    public async IAsyncEnumerable<ReadOnlyMemory<byte>> GetLinesAsync(string path, TimeSpan silence, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var response = await SendAsync(path, HttpStatusCode.OK, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        var lines = new LineSource(ReadAsync, MostLineBytes);
        while (await lines.ReadAsync(cancellationToken) is { } line) yield return line;

        async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken token)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(token);
            limit.CancelAfter(silence);
            try
            {
                return await body.ReadAsync(buffer, limit.Token);
            }
            catch (OperationCanceledException) when (!token.IsCancellationRequested)
            {
                throw new CliException(ExitCode.TimedOut, $"{Url} sent nothing for {silence.TotalSeconds:0.###} s.");
            }
            catch (IOException)
            {
                throw Cut();
            }
        }
    }

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> SendAsync(string path, HttpStatusCode accept, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_timeout);
        try
        {
            var response = await _http.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (response.StatusCode == HttpStatusCode.OK || response.StatusCode == accept) return response;
            using (response)
            {
                var refusal = $"{Url} refuses: {(int)response.StatusCode} {await ProblemAsync(response, limit.Token)}{KeyHint(response.StatusCode)}";
                throw new CliException(ExitCode.Refused, refusal) { IsTemporary = IsTemporary(response.StatusCode) };
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Silence();
        }
        catch (HttpRequestException exception) when (exception.HttpRequestError is HttpRequestError.InvalidResponse)
        {
            throw NoPerch();
        }
        catch (HttpRequestException exception)
        {
            throw exception.GetBaseException() is SocketException socket ? new CliException(Failure.Of(socket)!.ExitCode, $"{Url}: {Failure.Of(socket)!.Text}")
                : new CliException(exception.HttpRequestError == HttpRequestError.SecureConnectionError ? ExitCode.Tls : ExitCode.Cut, $"{Url} cannot be asked: {PeerText.Escape(exception.GetBaseException().Message).TrimEnd('.')}.");
        }
    }

    private CliException Cut() => new(ExitCode.Cut, $"{Url} ended the connection midway.");

    private static bool IsTemporary(HttpStatusCode status) =>
        status is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

    /// <summary>The cure is in the detail of a problem (RFC 9457).</summary>
    private static async Task<string> ProblemAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync(cancellationToken))!;
            return PeerText.Escape($"{problem["title"]?.GetValue<string>()} {problem["detail"]?.GetValue<string>()}".Trim());
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            return PeerText.Escape(response.ReasonPhrase ?? "");
        }
    }

    /// <summary>The client's own cure of a 401: a server behind a proxy may answer with a text that does not have it.</summary>
    private string KeyHint(HttpStatusCode status) => status != HttpStatusCode.Unauthorized ? ""
        : _hasKey ? " The key of --api-key or PERCH_API_KEY is not this server's Admin:ApiKey."
        : " Set PERCH_API_KEY, or --api-key, to the server's Admin:ApiKey.";

    private CliException Silence() => new(ExitCode.TimedOut, $"{Url} did not answer within {_timeout.TotalSeconds:0.###} s.");

    private CliException NoPerch() => new(ExitCode.Refused, $"{Url} does not answer as Perch's admin endpoint does.");
}
