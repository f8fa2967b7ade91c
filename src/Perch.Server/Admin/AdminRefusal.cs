namespace Perch.Server.Admin;

/// <summary>The answer to an admin request that is not allowed.</summary>
/// <param name="StatusCode">401, or 403 if no key helps.</param>
/// <param name="Title">The rule.</param>
/// <param name="Cure">The change that makes the request work.</param>
internal sealed record AdminRefusal(int StatusCode, string Title, string Cure)
{
    public static AdminRefusal KeyNeeded(string title, string cure) => new(StatusCodes.Status401Unauthorized, title, cure);

    public static AdminRefusal OtherSite(string sign) => new(StatusCodes.Status403Forbidden, "A page of another site may not use this endpoint.",
        $"The request has '{sign}'. Send it without a browser, or open this endpoint's own address. If the page's address leads here through a proxy, add its host to Admin:Hosts.");

    public IResult ToResult(HttpContext context)
    {
        // RFC 9110 15.5.2: a 401 names a scheme.
        if (StatusCode == StatusCodes.Status401Unauthorized) context.Response.Headers.WWWAuthenticate = "Bearer realm=\"perch\"";
        return Results.Problem(Cure, statusCode: StatusCode, title: Title);
    }
}
