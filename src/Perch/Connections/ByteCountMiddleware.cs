using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Perch.Transport;

namespace Perch.Connections;

/// <summary>
/// Counts bytes in and out, and notes when the handler waits for the peer; the timeouts read both. A transport that counts by itself
/// is asked instead.
/// </summary>
internal static class ByteCountMiddleware
{
    public static Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = ConnectionState.Of(connection)!;
        if (connection.Features.Get<IConnectionProgressFeature>() is not { } progress) return CountAsync(connection, state, next);
        state.Follow(progress);
        return next(connection);
    }

    private static async Task CountAsync(ConnectionContext connection, ConnectionState state, ConnectionDelegate next)
    {
        var transport = connection.Transport;
        connection.Transport = new CountingTransport(transport, state);
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
        }
    }

    private sealed class CountingTransport(IDuplexPipe inner, ConnectionState state) : IDuplexPipe
    {
        public PipeReader Input { get; } = new CountingPipeReader(inner.Input, state);

        public PipeWriter Output { get; } = new CountingPipeWriter(inner.Output, state);
    }
}
