using System.Net;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Perch.Transport;

namespace Perch.Endpoints;

/// <summary>Listeners of Kestrel's sockets that accept while a gate allows it.</summary>
internal sealed class GatedListenerFactory(SocketTransportFactory inner, IAcceptGate gate, TimeProvider time)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => inner.CanBind(endpoint);

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        new GatedListener(await inner.BindAsync(endpoint, cancellationToken), gate, time);

    private sealed class GatedListener(IConnectionListener inner, IAcceptGate gate, TimeProvider time) : IConnectionListener
    {
        private static readonly TimeSpan BackOff = TimeSpan.FromMilliseconds(10);

        private readonly CancellationTokenSource _unbinding = new();

        public EndPoint EndPoint => inner.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (!_unbinding.IsCancellationRequested && !gate.TryEnter())
                await Task.Delay(BackOff, time, _unbinding.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_unbinding.IsCancellationRequested)
                return await inner.AcceptAsync(cancellationToken);

            ConnectionContext? connection = null;
            try
            {
                return connection = await inner.AcceptAsync(cancellationToken);
            }
            finally
            {
                if (connection is null)
                    gate.Leave();
            }
        }

        public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            await _unbinding.CancelAsync();
            await inner.UnbindAsync(cancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            _unbinding.Dispose();
        }
    }
}
