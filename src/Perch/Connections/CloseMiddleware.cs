using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Perch.Wire;

namespace Perch.Connections;

/// <summary>
/// Waits until the transport has sent what the handler wrote and has closed the socket, so that a connection counts, in
/// the caps too, for as long as it holds one. To the timeouts this is a flush: a peer that never reads is cut.
/// A handler that threw anything but a protocol error ends in a reset, so that no peer takes it for a clean end; one that
/// was cancelled by the drain has left as it was asked to.
/// </summary>
internal static class CloseMiddleware
{
    public static async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            await next(connection);
        }
        catch (Exception exception) when (exception is not ProtocolException)
        {
            connection.Features.GetRequiredFeature<ConnectionState>().GoneBeforeFault = connection.ConnectionClosed.IsCancellationRequested;
            if (exception is not OperationCanceledException || !OutcomeMiddleware.IsDraining(connection)) connection.Abort();
            throw;
        }
        finally
        {
            await CloseAsync(connection);
        }
    }

    private static async Task CloseAsync(ConnectionContext connection)
    {
        connection.Features.GetRequiredFeature<ConnectionState>().Closing = true;
        await connection.Transport.Output.CompleteAsync();
        await connection.Transport.Input.CompleteAsync();
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (connection.ConnectionClosed.UnsafeRegister(static tcs => ((TaskCompletionSource)tcs!).TrySetResult(), closed))
        {
            if (connection.ConnectionClosed.CanBeCanceled) await closed.Task;
        }
    }
}
