using System.Net;
using System.Security.Cryptography;
using System.Text;
using Perch.Configuration;

namespace Perch.Server.Admin;

/// <summary>
/// Lets a request through that comes from this machine, or has the key <c>Admin:ApiKey</c> as <c>Authorization: Bearer</c>
/// or <c>X-Api-Key</c>. A request that names a foreign host, or that a proxy has forwarded, is not this machine's own.
/// </summary>
internal sealed class AdminAccessFilter(AppliedConfiguration configuration) : IEndpointFilter
{
    private const string Bearer = "Bearer ";

    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var request = context.HttpContext.Request;
        if (IsLocal(context.HttpContext) || HasKey(request, configuration["Admin:ApiKey"])) return next(context);
        var cure = string.IsNullOrEmpty(configuration["Admin:ApiKey"])
            ? "Set Admin:ApiKey, and send it as 'Authorization: Bearer <key>'."
            : "Send the key of Admin:ApiKey as 'Authorization: Bearer <key>'.";
        return ValueTask.FromResult<object?>(Results.Problem(cure, statusCode: StatusCodes.Status401Unauthorized, title: "Beyond this machine a key is needed."));
    }

    private static bool IsLocal(HttpContext context) =>
        context.Connection.RemoteIpAddress is { } remote && IPAddress.IsLoopback(remote)
        && !context.Request.Headers.ContainsKey("X-Forwarded-For") && !context.Request.Headers.ContainsKey("Forwarded")
        && IsLocalName(context.Request.Host.Host);

    private static bool IsLocalName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));

    public static bool HasKey(HttpRequest request, string? key)
    {
        if (string.IsNullOrEmpty(key)) return false;
        var authorization = request.Headers.Authorization.ToString();
        var given = authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? authorization[Bearer.Length..] : request.Headers["X-Api-Key"].ToString();
        return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(key));
    }
}
