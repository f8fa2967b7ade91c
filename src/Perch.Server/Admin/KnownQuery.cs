namespace Perch.Server.Admin;

/// <summary>Refuses query parameters that an endpoint does not know: a misspelt one would be ignored silently.</summary>
internal static class KnownQuery
{
    /// <summary>Answers 400 to a request with any other query parameter than <paramref name="known"/>, or with one of them twice.</summary>
    public static RouteHandlerBuilder WithQuery(this RouteHandlerBuilder route, params string[] known) =>
        route.AddEndpointFilter((context, next) => Fault(context.HttpContext.Request.Query, known) is { } fault
            ? ValueTask.FromResult<object?>(Results.Problem(fault, statusCode: StatusCodes.Status400BadRequest))
            : next(context));

    private static string? Fault(IQueryCollection given, string[] known)
    {
        foreach (var (name, values) in given)
        {
            if (!known.Contains(name, StringComparer.Ordinal))
                return $"The query parameter '{name}' is not known here. Known: {(known.Length == 0 ? "none" : string.Join(", ", known))}.";
            if (values.Count != 1)
                return $"The query parameter '{name}' is given {values.Count} times. Give it once.";
        }

        return null;
    }
}
