namespace Perch.Server.Admin;

/// <summary>Every path that serves <c>GET</c> serves <c>HEAD</c> (RFC 9110, section 9.1). Kestrel drops the body of the response.</summary>
internal static class HeadRequests
{
    /// <summary>Adds <c>HEAD</c> to all endpoints of the group that have <c>GET</c>, also to those that are mapped later.</summary>
    public static void ServeHead(this IEndpointConventionBuilder group) => group.Finally(endpoint =>
    {
        if (endpoint.Metadata.OfType<IHttpMethodMetadata>().LastOrDefault() is not { HttpMethods: var methods })
            return;
        if (methods.Contains(HttpMethods.Get) && !methods.Contains(HttpMethods.Head))
            endpoint.Metadata.Add(new HttpMethodMetadata([.. methods, HttpMethods.Head]));
    });
}
