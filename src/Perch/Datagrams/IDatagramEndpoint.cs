using System.Net;

namespace Perch.Datagrams;

/// <summary>A bound UDP endpoint, as its handler sees it. It may be used from any thread.</summary>
public interface IDatagramEndpoint
{
    /// <summary>The endpoint's name in the configuration.</summary>
    string Name { get; }

    /// <summary>The bound address and port.</summary>
    IPEndPoint LocalEndPoint { get; }

    /// <summary>Cancelled when the endpoint drains: finish what is in hand.</summary>
    CancellationToken Draining { get; }

    /// <summary>
    /// Sends one datagram in answer to another, from the endpoint's port and the address that was asked; never waits. It is
    /// held to the reply budget and the rate of its source; a second answer to one datagram needs a budget of its own.
    /// </summary>
    /// <param name="to">From <see cref="DatagramContext.Return"/>.</param>
    /// <param name="payload">At most 65,507 bytes.</param>
    /// <returns>False where it was not sent; it is counted then.</returns>
    bool TrySend(in ReturnAddress to, ReadOnlySpan<byte> payload);

    /// <summary>
    /// Starts a dialogue with the sender of a datagram, beside the receive thread. One that talks from
    /// <see cref="SessionPort.Endpoint"/> gets everything that its peer sends from now on; the handler does not see it.
    /// </summary>
    /// <param name="with">From <see cref="DatagramContext.Return"/>; its budget is the session's first.</param>
    /// <param name="port">The port that it talks from.</param>
    /// <param name="serve">The dialogue; its end is the session's. An exception is an outcome, as with a connection.</param>
    /// <param name="rejected">Called instead of the dialogue where it is over a cap; the session ends as rejected then.</param>
    /// <returns>False where there is no port, the endpoint drains, or the peer has a session at the endpoint's port; nothing is called then.</returns>
    bool TryStartSession(in ReturnAddress with, SessionPort port, Func<DatagramSession, Task> serve, Func<Task>? rejected = null);

    /// <summary>Datagrams that are none of the protocol's: they count as dropped, with the reason <c>malformed</c>. Cheaper than an exception.</summary>
    void CountMalformed(int datagrams);

    /// <summary>The handler had no room for so many datagrams: they count as dropped, with the reason <c>queue</c>.</summary>
    void CountDropped(int datagrams);

    /// <summary>An answer is still to come: a drain waits for as many <see cref="Release"/>s.</summary>
    void Hold();

    /// <summary>The answer was sent, or is not going to be.</summary>
    void Release();
}
