using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Perch.Endpoints;

namespace Perch.Connections;

/// <summary>Holds the cap over all connections and the endpoint's own; what is over a cap is closed at once.</summary>
internal sealed class AdmissionMiddleware(ConnectionRegistry registry, int totalCap, GuardOptions guards)
{
    public async Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = connection.Features.GetRequiredFeature<ConnectionState>();
        if (!registry.TryAdmit(totalCap))
        {
            state.TrySetOutcome(ConnectionOutcome.Rejected);
            return;
        }

        try
        {
            if (!state.Traffic.TryAdmit(guards.MaxConnections))
            {
                state.TrySetOutcome(ConnectionOutcome.Rejected);
                return;
            }

            try
            {
                await next(connection);
            }
            finally
            {
                state.Traffic.Release();
            }
        }
        finally
        {
            registry.Release();
        }
    }
}
