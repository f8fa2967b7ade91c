using Microsoft.AspNetCore.Connections;

namespace Perch.Server.Admin;

/// <summary>
/// Answers requests that failed because of their client: 400 or 408 for a body that is broken or does not come. Without it Kestrel
/// logs such an exception as a fault of the server, with the stack trace.
/// </summary>
internal static class ClientFaults
{
    public static void Use(WebApplication app) => app.Use(static async (context, next) =>
    {
        try
        {
            await next(context);
        }
        catch (Exception exception) when (StatusOf(exception, context) is { } status)
        {
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }

            await AnswerAsync(context, status, exception);
        }
    });

    /// <returns>The status of the answer, 499 for a client that is gone; null if the exception is not the client's fault.</returns>
    private static int? StatusOf(Exception exception, HttpContext context) => exception switch
    {
        BadHttpRequestException bad => bad.StatusCode,
        ConnectionResetException or ConnectionAbortedException => StatusCodes.Status499ClientClosedRequest,
        OperationCanceledException or IOException when context.RequestAborted.IsCancellationRequested =>
            StatusCodes.Status499ClientClosedRequest,
        _ => null,
    };

    private static async Task AnswerAsync(HttpContext context, int status, Exception exception)
    {
        context.Response.Clear();
        if (status == StatusCodes.Status499ClientClosedRequest)
        {
            context.Response.StatusCode = status;
            // Kestrel would try to read the rest of the body, and log that it cannot.
            context.Abort();
            return;
        }

        // The rest of the body, if it comes, is not read.
        if (!HttpProtocol.IsHttp2(context.Request.Protocol) && !HttpProtocol.IsHttp3(context.Request.Protocol))
            context.Response.Headers.Connection = "close";
        await Results.Problem(exception.Message, statusCode: status).ExecuteAsync(context);
    }
}
