using Microsoft.AspNetCore.Connections;
using Perch.Transport;

namespace Perch.Server.Admin;

/// <summary>
/// Keeps the connections of the admin endpoint to a cap. A new connection over the cap takes the place of the one that has been without a
/// request for the longest time, so that silent connections do not keep others from <c>/health</c> and <c>/metrics</c>.
/// </summary>
/// <param name="cap">Most connections, at least 1.</param>
/// <param name="gate">Left when a connection has ended; the listener enters it.</param>
internal sealed class AdminConnections(int cap, IAcceptGate gate)
{
    private readonly Lock _lock = new();

    /// <summary>Those without a request, the longest first.</summary>
    private readonly LinkedList<AdminConnection> _idle = new();
    private int _count;

    /// <summary>The middleware of a connection.</summary>
    public async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var entry = TryAdd(connection);
        try
        {
            if (entry is null)
            {
                connection.Abort(new ConnectionAbortedException("The admin endpoint serves as many requests as it may."));
                return;
            }

            connection.Features.Set(entry);
            await next(connection);
        }
        finally
        {
            if (entry is not null)
                Remove(entry);
            gate.Leave();
        }
    }

    /// <summary>The middleware of a request: its connection keeps its place meanwhile.</summary>
    public async Task OnRequestAsync(HttpContext context, RequestDelegate next)
    {
        if (context.Features.Get<AdminConnection>() is not { } entry)
        {
            await next(context);
            return;
        }

        SetBusy(entry, +1);
        try
        {
            await next(context);
        }
        finally
        {
            SetBusy(entry, -1);
        }
    }

    private AdminConnection? TryAdd(ConnectionContext connection)
    {
        AdminConnection? longest = null;
        var entry = new AdminConnection(connection);
        lock (_lock)
        {
            if (_count >= cap)
            {
                if (_idle.First is not { } first)
                    return null;
                longest = first.Value;
                longest.IsEnded = true;
                _idle.RemoveFirst();
                _count--;
            }

            _count++;
            _idle.AddLast(entry.Place);
        }

        longest?.Connection.Abort(new ConnectionAbortedException("Another connection took its place: it had no request for the longest time."));
        return entry;
    }

    private void SetBusy(AdminConnection entry, int change)
    {
        lock (_lock)
        {
            entry.Requests += change;
            if (entry.IsEnded)
                return;
            if (entry.Requests > 0)
                Unlink(entry);
            else
                _idle.AddLast(entry.Place);
        }
    }

    private void Remove(AdminConnection entry)
    {
        lock (_lock)
        {
            if (entry.IsEnded)
                return;
            entry.IsEnded = true;
            Unlink(entry);
            _count--;
        }
    }

    private void Unlink(AdminConnection entry)
    {
        if (entry.Place.List is not null)
            _idle.Remove(entry.Place);
    }

    /// <summary>One connection; its members are used under the lock.</summary>
    private sealed class AdminConnection
    {
        public AdminConnection(ConnectionContext connection) => (Connection, Place) = (connection, new(this));

        public ConnectionContext Connection { get; }

        public LinkedListNode<AdminConnection> Place { get; }

        /// <summary>Requests in progress: HTTP/2 has several.</summary>
        public int Requests { get; set; }

        public bool IsEnded { get; set; }
    }
}
