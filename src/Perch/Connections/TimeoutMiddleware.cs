using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Endpoints;

namespace Perch.Connections;

/// <summary>
/// First-byte, idle and write timeouts on Kestrel's heartbeat (once a second): no timer and no clock reading per
/// connection or message. The heartbeat stops when an endpoint drains; from then on the drain's deadline is the limit.
/// </summary>
internal sealed class TimeoutMiddleware(GuardOptions guards, bool serverSpeaksFirst, TimeProvider time)
{
    public Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = ConnectionState.Of(connection)!;
        connection.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(
            static watch => ((TimeoutWatch)watch).Check(), new TimeoutWatch(state, guards, serverSpeaksFirst, time));
        return next(connection);
    }
}
