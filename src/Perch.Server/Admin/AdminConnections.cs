using Microsoft.AspNetCore.Connections;
using Perch.Transport;

namespace Perch.Server.Admin;

/// <summary>
/// Keeps the connections of the admin endpoint to a cap. A new connection over the cap takes the place of the one that has been without a
/// request for the longest time, so that silent connections do not keep others from <c>/health</c> and <c>/metrics</c>. While that one
/// has been without a request for less than <see cref="Grace"/>, new connections wait in the backlog: otherwise a burst of silent
/// connections would end a connection whose request is on its way.
/// </summary>
/// <param name="cap">Maximum number of connections, at least 1.</param>
/// <param name="gate">The descriptors; the listener asks for them through this gate.</param>
/// <param name="time">The clock of <see cref="Grace"/>.</param>
internal sealed class AdminConnections(int cap, IAcceptGate gate, TimeProvider time) : IAcceptGate
{
    /// <summary>A connection keeps its place for this time without a request.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromMilliseconds(50);

    /// <summary>More listeners than the admin endpoint has. Each expects a connection while it waits.</summary>
    private const int Listeners = 16;

    private readonly Lock _lock = new();

    /// <summary>Those without a request, the longest first.</summary>
    private readonly LinkedList<AdminConnection> _idle = new();
    private int _count;

    /// <summary>Connections that the listener may accept, or has accepted, and that are not counted yet.</summary>
    private int _expected;

    public string Reason => gate.Reason;

    public bool TryEnter()
    {
        lock (_lock)
        {
            if (_expected >= cap + Listeners || (_count + _expected >= cap && IsLongestYoung()))
                return false;
            _expected++;
        }

        if (gate.TryEnter())
            return true;
        lock (_lock)
            _expected--;
        return false;
    }

    public void Leave()
    {
        lock (_lock)
            _expected--;
        gate.Leave();
    }

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
        var entry = new AdminConnection(connection) { IdleSince = time.GetTimestamp() };
        lock (_lock)
        {
            _expected--;
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
            {
                Unlink(entry);
                return;
            }

            entry.IdleSince = time.GetTimestamp();
            _idle.AddLast(entry.Place);
        }
    }

    private bool IsLongestYoung() => _idle.First is { } first && time.GetElapsedTime(first.Value.IdleSince) < Grace;

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

        /// <summary>Start of the time without a request.</summary>
        public long IdleSince { get; set; }

        public bool IsEnded { get; set; }
    }
}
