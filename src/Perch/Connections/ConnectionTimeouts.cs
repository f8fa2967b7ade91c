using Microsoft.AspNetCore.Connections;
using Perch.Endpoints;

namespace Perch.Connections;

/// <summary>
/// First-byte, idle and write timeouts of an endpoint's connections. The <see cref="TimeoutSweep"/> looks at each once a second, and
/// compares its counters with those of the last time: a connection has no timer and no callback, a message no reading of the clock.
/// </summary>
internal sealed class ConnectionTimeouts(GuardOptions guards, bool serverSpeaksFirst, TimeProvider time)
{
    public Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        ConnectionState.Of(connection)!.Timeouts = this;
        return next(connection);
    }

    /// <summary>Ends a connection that has stood still for too long. On one thread at a time.</summary>
    public void Check(ConnectionState connection)
    {
        var now = time.GetTimestamp();
        ref var last = ref connection.LastActivity;
        var bytes = connection.BytesReceived + connection.BytesSent;
        // A handler that was busy has not waited for the peer.
        if (bytes != last.Bytes || !connection.ReadPending) (last.Bytes, last.BytesSince) = (bytes, now);
        var (flush, closing) = (connection.FlushWaits, connection.Closing);
        if (flush != last.FlushWaits || closing != last.Closing) (last.FlushWaits, last.Closing, last.FlushSince) = (flush, closing, now);

        var waitsForReader = (flush & 1) == 1 || closing;
        if (waitsForReader && Passed(guards.WriteTimeout, last.FlushSince, now))
            connection.Abort(ConnectionOutcome.WriteTimeout);
        else if (!connection.ReadPending)
            return;
        else if (connection.BytesReceived == 0 && !serverSpeaksFirst && Passed(guards.FirstByteTimeout, connection.StartTimestamp, now))
            connection.Abort(ConnectionOutcome.FirstByteTimeout);
        else if (Passed(guards.IdleTimeout, last.BytesSince, now))
            connection.Abort(ConnectionOutcome.IdleTimeout);
    }

    private bool Passed(TimeSpan limit, long since, long now) =>
        limit > TimeSpan.Zero && time.GetElapsedTime(since, now) >= limit;
}

/// <summary>What a connection had done when its timeouts were last looked at, and since when no more than that.</summary>
internal struct ConnectionActivity
{
    public long Bytes;
    public long BytesSince;
    public int FlushWaits;
    public bool Closing;
    public long FlushSince;
}
