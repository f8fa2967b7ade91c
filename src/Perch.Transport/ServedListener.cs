using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Perch.Transport;

/// <summary>
/// A listener that serves its connections itself (<see cref="DirectTransportOptions.Serve"/>). Whoever accepts from it waits until
/// it is unbound, and every connection that it has accepted is being served.
/// </summary>
internal sealed partial class ServedListener : IConnectionListener
{
    private readonly DirectListener _listener;
    private readonly ConnectionDelegate _serve;
    private readonly ILogger _logger;
    private readonly TaskCompletionSource<ConnectionContext?> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Connections on their way to the thread pool, and one for the listener.</summary>
    private int _underWay = 1;

    public ServedListener(DirectListener listener, ConnectionDelegate serve, ILogger logger)
    {
        (_listener, _serve, _logger) = (listener, serve, logger);
        // What flows with whoever binds is not to flow with every connection.
        ThreadPool.UnsafeQueueUserWorkItem(static self => _ = self.RunAsync(), this, preferLocal: false);
    }

    public EndPoint EndPoint => _listener.EndPoint;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) => await _end.Task.WaitAsync(cancellationToken);

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => _listener.UnbindAsync(cancellationToken);

    public ValueTask DisposeAsync() => _listener.DisposeAsync();

    private async Task RunAsync()
    {
        try
        {
            while (await _listener.AcceptAsync() is { } connection)
            {
                if (_listener.Options.Scheduling == ContinuationScheduling.ThreadPool) ServeOnThreadPool(connection);
                else Serve(connection);
            }

            Arrived();
        }
        catch (Exception exception)
        {
            _end.SetException(exception);
        }
    }

    private void ServeOnThreadPool(ConnectionContext connection)
    {
        Interlocked.Increment(ref _underWay);
        ThreadPool.UnsafeQueueUserWorkItem(
            static item =>
            {
                item.Listener.Serve(item.Connection);
                item.Listener.Arrived();
            },
            (Listener: this, Connection: connection), preferLocal: false);
    }

    private void Serve(ConnectionContext connection)
    {
        try
        {
            _ = _serve(connection);
        }
        catch (Exception exception)
        {
            Log.Threw(_logger, exception, EndPoint);
            connection.Abort();
        }
    }

    private void Arrived()
    {
        if (Interlocked.Decrement(ref _underWay) == 0) _end.TrySetResult(null);
    }

    private static partial class Log
    {
        [LoggerMessage(1115, LogLevel.Error, "Serving a connection of {EndPoint} threw", EventName = "ServeThrew")]
        public static partial void Threw(ILogger logger, Exception exception, EndPoint endPoint);
    }
}
