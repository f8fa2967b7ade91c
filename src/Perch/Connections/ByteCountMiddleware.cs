using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Perch.Connections;

/// <summary>Counts bytes in and out, and notes when the handler waits for the peer; the timeouts read both.</summary>
internal static class ByteCountMiddleware
{
    public static async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = connection.Features.GetRequiredFeature<ConnectionState>();
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
