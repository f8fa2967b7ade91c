using Perch.Configuration;

namespace Perch.Server.Admin;

/// <summary>Lets a request through that has the key <c>Admin:ApiKey</c>, also one from this machine: what changes something needs it.</summary>
internal sealed class AdminKeyFilter(AppliedConfiguration configuration) : IEndpointFilter
{
    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        if (AdminAccess.HasKey(context.HttpContext.Request, configuration["Admin:ApiKey"])) return next(context);
        return ValueTask.FromResult<object?>(Results.Problem(
            "Set Admin:ApiKey, and send it as 'Authorization: Bearer <key>'.", statusCode: StatusCodes.Status401Unauthorized, title: "To change files a key is needed."));
    }
}
