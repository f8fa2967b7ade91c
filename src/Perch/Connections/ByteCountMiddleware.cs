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
        state.Progress = progress;
        return next(connection);
    }

    private static async Task CountAsync(ConnectionContext connection, ConnectionState state, ConnectionDelegate next)
    {
        var transport = connection.Transport;
        var progress = new CountedProgress();
        state.Progress = progress;
        connection.Transport = new CountingTransport(transport, progress);
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
        }
    }

    private sealed class CountingTransport(IDuplexPipe inner, CountedProgress progress) : IDuplexPipe
    {
        public PipeReader Input { get; } = new CountingPipeReader(inner.Input, progress);

        public PipeWriter Output { get; } = new CountingPipeWriter(inner.Output, progress);
    }
}
