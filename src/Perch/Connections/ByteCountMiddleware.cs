using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Perch.Transport;

namespace Perch.Connections;

/// <summary>Counts bytes in and out, and notes when the handler waits for the peer; the timeouts read both.</summary>
internal static class ByteCountMiddleware
{
    public static async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = connection.Features.GetRequiredFeature<ConnectionState>();
        var transport = connection.Transport;
        // Asked for before the transport is replaced: a connection offers it only while its own is in place.
        var sendFile = connection.Features.Get<ISendFileFeature>();
        connection.Transport = new CountingTransport(transport, state);
        if (sendFile is not null) connection.Features.Set<ISendFileFeature>(new CountingSendFile(sendFile, state));
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
            if (sendFile is not null) connection.Features.Set(sendFile);
        }
    }

    private sealed class CountingTransport(IDuplexPipe inner, ConnectionState state) : IDuplexPipe
    {
        public PipeReader Input { get; } = new CountingPipeReader(inner.Input, state);

        public PipeWriter Output { get; } = new CountingPipeWriter(inner.Output, state);
    }
}
