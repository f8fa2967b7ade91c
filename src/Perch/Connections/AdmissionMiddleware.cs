using Microsoft.AspNetCore.Connections;
using Perch.Endpoints;

namespace Perch.Connections;

/// <summary>Holds the cap over all connections and the endpoint's own; what is over a cap is closed at once.</summary>
internal sealed class AdmissionMiddleware(ConnectionRegistry registry, int totalCap, GuardOptions guards)
{
    public Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var state = ConnectionState.Of(connection)!;
        if (TryAdmit(state)) return next(connection);
        state.TrySetOutcome(ConnectionOutcome.Rejected);
        return Task.CompletedTask;
    }

    /// <summary>Gives back what an admitted connection took, once it has ended.</summary>
    public static void Release(ConnectionRegistry registry, ConnectionState state)
    {
        if (!state.IsAdmitted) return;
        state.Traffic.Release();
        registry.Release();
    }

    private bool TryAdmit(ConnectionState state)
    {
        if (!registry.TryAdmit(totalCap))
        {
            state.RejectedBy = Cap.Total;
            return false;
        }

        state.IsAdmitted = state.Traffic.TryAdmit(guards.MaxConnections);
        if (state.IsAdmitted)
            return true;
        registry.Release();
        state.RejectedBy = Cap.Endpoint;
        return false;
    }
}
