using Perch.Endpoints;

namespace Perch.Connections;

/// <summary>Compares a connection's counters with those of the last heartbeat, and ends it when they have stood still too long.</summary>
internal sealed class TimeoutWatch(ConnectionState connection, GuardOptions guards, bool serverSpeaksFirst, TimeProvider time)
{
    private long _bytes;
    private long _bytesSince = connection.StartTimestamp;
    private (int Number, bool Closing) _flush;
    private long _flushSince = connection.StartTimestamp;

    public void Check()
    {
        var now = time.GetTimestamp();
        var bytes = connection.BytesReceived + connection.BytesSent;
        // A handler that was busy has not waited for the peer.
        if (bytes != _bytes || !connection.ReadPending) (_bytes, _bytesSince) = (bytes, now);
        var flush = (Number: connection.FlushWaits, connection.Closing);
        if (flush != _flush) (_flush, _flushSince) = (flush, now);

        var waitsForReader = (flush.Number & 1) == 1 || flush.Closing;
        if (waitsForReader && Passed(guards.WriteTimeout, _flushSince, now))
            connection.Abort(ConnectionOutcome.WriteTimeout);
        else if (!connection.ReadPending)
            return;
        else if (connection.BytesReceived == 0 && !serverSpeaksFirst && Passed(guards.FirstByteTimeout, connection.StartTimestamp, now))
            connection.Abort(ConnectionOutcome.FirstByteTimeout);
        else if (Passed(guards.IdleTimeout, _bytesSince, now))
            connection.Abort(ConnectionOutcome.IdleTimeout);
    }

    private bool Passed(TimeSpan limit, long since, long now) =>
        limit > TimeSpan.Zero && time.GetElapsedTime(since, now) >= limit;
}
