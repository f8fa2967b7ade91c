using System.Net;
using System.Security.Cryptography;
using System.Text;
using Perch.Configuration;
using Perch.Wire;

namespace Perch.Server.Admin;

/// <summary>
/// The rule for every admin request but health and metrics. With <c>Admin:ApiKey</c> a request needs the key, from this machine too.
/// Without a key this machine may read, and every write is refused. A request that a page of another site causes is refused in either case.
/// </summary>
/// <remarks>
/// Without a key the loopback address is the only credential, and it is not enough: a proxy on this machine connects from it, and a page in a
/// browser on this machine can send requests to it, also under a name of its own that resolves to it (DNS rebinding). Therefore a forwarded
/// request is refused, and so is one whose Host is a name that is not configured. Such a page has no key, so with a key neither is checked.
/// </remarks>
internal sealed class AdminAccess(AppliedConfiguration configuration)
{
    private const string Bearer = "Bearer ";

    private const string HowToSend = "in the header X-Api-Key, or as 'Authorization: Bearer <key>'";

    private const string HowToSet = $"Set Admin:ApiKey on the server and send it {HowToSend}; perch takes it from PERCH_API_KEY or --api-key.";

    /// <summary>Headers that proxies add to a request (RFC 7239, RFC 9110 7.6.3, RFC 8586, and the usual ones).</summary>
    private static readonly string[] ProxyHeaders =
    [
        "Forwarded", "Via", "CDN-Loop", "X-Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto",
        "X-Forwarded-Server", "X-Forwarded-Prefix", "X-Original-For", "X-Original-Host", "X-Real-IP", "X-Client-IP", "X-Cluster-Client-IP",
        "True-Client-IP", "CF-Connecting-IP", "Fastly-Client-IP", "X-Envoy-External-Address",
    ];

    private string? Key => configuration["Admin:ApiKey"];

    /// <returns>The reason for the refusal; null if the request is allowed.</returns>
    public AdminRefusal? Check(HttpContext context)
    {
        var request = context.Request;
        if (ForeignSite(request) is { } site)
            return AdminRefusal.OtherSite(site);
        if (!string.IsNullOrEmpty(Key))
            return HasKey(request, Key) ? null : AdminRefusal.KeyNeeded("This request needs the API key.",
                $"Send the server's Admin:ApiKey {HowToSend}, also from this machine; perch takes it from PERCH_API_KEY or --api-key.");
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
            return AdminRefusal.KeyNeeded("A request that changes something needs an API key.", HowToSet);
        // A Unix socket has no address: its file's mode decides which users of this machine may connect.
        if (context.Connection.RemoteIpAddress is { } remote && !IPAddress.IsLoopback(remote))
            return AdminRefusal.KeyNeeded("A request from another machine needs an API key.", HowToSet);
        if (ProxySign(request) is { } sign)
            return AdminRefusal.KeyNeeded("A request that a proxy forwards needs an API key.", $"The request has {sign}. {HowToSet}");
        if (context.Connection.RemoteIpAddress is not null && !IsKnownHost(request.Host.Host))
            return AdminRefusal.KeyNeeded("The host name of the request is not known.",
                $"'{PeerText.Escape(request.Host.Host, maxChars: 128)}' is neither an IP address nor localhost nor in Admin:Hosts. Add it there. Or: {HowToSet}");
        return null;
    }

    public static bool HasKey(HttpRequest request, string? key)
    {
        if (string.IsNullOrEmpty(key)) return false;
        var authorization = request.Headers.Authorization.ToString();
        var given = authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? authorization[Bearer.Length..] : request.Headers["X-Api-Key"].ToString();
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(key));
    }

    /// <returns>The header by which a browser reports that a page of another origin sends the request; null if none does.</returns>
    private string? ForeignSite(HttpRequest request)
    {
        // Fetch Metadata Request Headers: 'none' is an address that the user typed.
        if (request.Headers["Sec-Fetch-Site"].ToString() is var site and not ("" or "same-origin" or "none"))
            return $"Sec-Fetch-Site: {PeerText.Escape(site, maxChars: 32)}";
        if (request.Headers.Origin.ToString() is not { Length: > 0 } origin)
            return null;
        // Only the authority (RFC 6454): in front of a proxy the scheme may be another one than here.
        var authority = origin.IndexOf("://", StringComparison.Ordinal) is var at and >= 0 ? origin[(at + 3)..] : "";
        var isOwn = authority.Length > 0 && (authority.Equals(request.Host.Value, StringComparison.OrdinalIgnoreCase) || Hosts().Contains(authority, StringComparer.OrdinalIgnoreCase));
        return isOwn ? null : $"Origin: {PeerText.Escape(origin, maxChars: 128)}";
    }

    /// <returns>The sign by which a proxy is recognised; null if there is none.</returns>
    /// <remarks>nginx before 1.29.7 adds no header and forwards with HTTP/1.0, which no client of today uses by itself.</remarks>
    private static string? ProxySign(HttpRequest request) => Array.Find(ProxyHeaders, request.Headers.ContainsKey) is { } header
        ? $"the header {header}"
        : HttpProtocol.IsHttp10(request.Protocol) ? "the version HTTP/1.0, as proxies send it" : null;

    private bool IsKnownHost(string host) => host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || IPAddress.TryParse(host, out _)
        || Hosts().Any(known => new HostString(known).Host.Equals(host, StringComparison.OrdinalIgnoreCase));

    /// <returns><c>Admin:Hosts</c>: a list, or names with commas between them, as an environment variable has it.</returns>
    private IEnumerable<string> Hosts()
    {
        var section = configuration.GetSection("Admin:Hosts");
        return section.GetChildren().Select(child => child.Value ?? "").Concat((section.Value ?? "").Split(','))
            .Select(host => host.Trim()).Where(host => host.Length > 0);
    }
}
