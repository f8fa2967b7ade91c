using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

/// <summary>Hands out the connections of a listener that serves them itself, as one that has them accepted does.</summary>
internal sealed class ServedQueue : IConnectionListener
{
    private readonly Channel<ConnectionContext> _served;
    private readonly IConnectionListener _listener;

    private ServedQueue(IConnectionListener listener, Channel<ConnectionContext> served) => (_listener, _served) = (listener, served);

    public EndPoint EndPoint => _listener.EndPoint;

    public static async Task<ServedQueue> BindAsync(DirectTransportOptions options, Func<Task<IConnectionListener>> bind)
    {
        var served = Channel.CreateUnbounded<ConnectionContext>();
        options.Serve = connection => served.Writer.WriteAsync(connection).AsTask();
        var queue = new ServedQueue(await bind(), served);
        _ = queue.EndAsync();
        return queue;
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) =>
        await _served.Reader.WaitToReadAsync(cancellationToken) && _served.Reader.TryRead(out var connection) ? connection : null;

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => _listener.UnbindAsync(cancellationToken);

    public ValueTask DisposeAsync() => _listener.DisposeAsync();

    private async Task EndAsync()
    {
        try
        {
            // It gives none, and ends behind the last.
            var none = await _listener.AcceptAsync();
            _served.Writer.Complete(none is null ? null : new InvalidOperationException("A connection that is served was handed out."));
        }
        catch (Exception exception)
        {
            _served.Writer.Complete(exception);
        }
    }
}
