using Microsoft.AspNetCore.Connections;
using Perch.Wire;

namespace Perch.Connections;

/// <summary>
/// Waits until the transport has sent what the handler wrote and has closed the socket, so that a connection counts, in
/// the caps too, for as long as it holds one. To the timeouts this is a flush: a peer that never reads is cut.
/// </summary>
internal static class ConnectionClose
{
    /// <summary>
    /// A handler that threw anything but a protocol error ends in a reset, so that no peer takes it for a clean end; one that
    /// was cancelled by the drain has left as it was asked to.
    /// </summary>
    public static void Fault(ConnectionContext connection, ConnectionState state, Exception exception)
    {
        if (exception is ProtocolException) return;
        state.GoneBeforeFault = connection.ConnectionClosed.IsCancellationRequested;
        if (exception is not OperationCanceledException || !state.IsDraining) connection.Abort();
    }

    public static async Task CloseAsync(ConnectionContext connection, ConnectionState state)
    {
        state.Closing = true;
        await connection.Transport.Input.CompleteAsync();
        await connection.Transport.Output.CompleteAsync();
        await connection.DisposeAsync();
    }
}
