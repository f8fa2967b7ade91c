using Microsoft.Extensions.Time.Testing;
using Perch.Connections;

namespace Perch.Tests.Shared;

/// <summary>Peer of an endpoint with <c>Once</c>, on virtual time.</summary>
internal static class OncePeer
{
    /// <summary>
    /// Lets time pass until the task has ended, but only while the server waits for the peer: the store and the disk take none.
    /// </summary>
    public static async Task<T> PassUntilAsync<T>(this Peer peer, FakeTimeProvider time, Task<T> task)
    {
        await peer.PassUntilAsync(time, _ => task.IsCompleted);
        return await task;
    }

    /// <summary>The same until the server has answered, and no further.</summary>
    public static Task PassToTheAnswerAsync(this Peer peer, FakeTimeProvider time) =>
        peer.PassUntilAsync(time, state => state.Outcome is not null);

    /// <summary>Completes when the server has read this number of bytes of the peer and waits for more.</summary>
    public static Task ReceivedAsync(this Peer peer, long bytes)
    {
        var state = ConnectionState.Of(peer.Connection)!;
        return Bounded.UntilAsync(() => state.BytesReceived == bytes && state.ReadPending);
    }

    private static Task PassUntilAsync(this Peer peer, FakeTimeProvider time, Func<ConnectionState, bool> holds)
    {
        var state = ConnectionState.Of(peer.Connection)!;
        return Bounded.UntilAsync(() =>
        {
            if (holds(state))
                return true;
            if (state.ReadPending)
                time.Advance(TimeSpan.FromMilliseconds(10));
            return false;
        });
    }
}
