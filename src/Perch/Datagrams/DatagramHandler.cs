using Perch.Wire;

namespace Perch.Datagrams;

/// <summary>
/// A UDP protocol that is more than one message: it sees payload, peer and the address that was asked, and may answer later,
/// or not at all. One instance serves an endpoint; see <see cref="DatagramHandler{TOptions}"/>.
/// </summary>
public abstract class DatagramHandler
{
    /// <summary>The longest payload that is handled, in bytes; a longer one is dropped whole. Default 65,535: whatever comes.</summary>
    public virtual int MaxDatagramBytes => DatagramContext.BufferBytes;

    /// <summary>
    /// Whether anything is ever sent. Where not, nothing can loop, and datagrams from the ports of known reflectors are
    /// handled too (a syslog sender may use any). Default true.
    /// </summary>
    public virtual bool Answers => true;

    /// <summary>
    /// Whether a datagram from the port of a known reflector, or of one of this process's UDP endpoints, is handled although the
    /// handler <see cref="Answers"/>. An answer to such a port may be answered in turn, so accept only datagrams whose answer ends the
    /// dialogue at a reflector. Called on the receive thread. Default false.
    /// </summary>
    /// <param name="payload">The payload of the datagram.</param>
    protected internal virtual bool AcceptsFromReflectorPort(ReadOnlySpan<byte> payload) => false;

    /// <summary>
    /// Handles one datagram. It is called on the endpoint's receive thread, one at a time: it must not block. What takes time
    /// is awaited, and the thread goes on with the next datagram, up to <c>Guards:MaxDatagramsInHand</c> of them.
    /// </summary>
    /// <param name="context">The peer and where to reply; the handler's until the returned task ends.</param>
    /// <param name="payload">What came, perhaps empty; valid until the returned task ends.</param>
    /// <exception cref="ProtocolException">It cannot be accepted: it is counted, and <see cref="WriteError"/> may answer.</exception>
    protected internal abstract ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload);

    /// <summary>Called on the receive thread after the last datagram of those that one receive has brought.</summary>
    protected internal virtual void OnBurstEnd()
    {
    }

    /// <summary>
    /// Writes the protocol's error reply to <see cref="DatagramContext.Reply"/>; nothing where it has none. The reply is not sent
    /// to a datagram that begins with the same four bytes, since that is an error itself.
    /// </summary>
    /// <param name="context">The peer; what was written to its reply before is gone.</param>
    /// <param name="error">What the handler threw.</param>
    protected internal virtual void WriteError(DatagramContext context, ProtocolException error)
    {
    }
}

/// <summary>A UDP protocol with options.</summary>
/// <typeparam name="TOptions">The protocol's options.</typeparam>
/// <param name="options">The endpoint's options.</param>
public abstract class DatagramHandler<TOptions>(TOptions options) : DatagramHandler
{
    /// <summary>The endpoint's options.</summary>
    protected TOptions Options { get; } = options;
}
