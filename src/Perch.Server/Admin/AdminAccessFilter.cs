namespace Perch.Server.Admin;

/// <summary>Refuses the requests that <see cref="AdminAccess"/> does not allow.</summary>
internal sealed class AdminAccessFilter(AdminAccess access) : IEndpointFilter
{
    public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        access.Check(context.HttpContext) is { } refusal ? ValueTask.FromResult<object?>(refusal.ToResult(context.HttpContext)) : next(context);
}
