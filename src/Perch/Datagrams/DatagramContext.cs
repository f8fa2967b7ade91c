using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using Perch.Connections;
using Perch.Messages;

namespace Perch.Datagrams;

/// <summary>
/// One datagram and its reply. It is the handler's until the task that the handler has returned ends; then another datagram
/// has it.
/// </summary>
public sealed class DatagramContext : IHandlerPeer
{
    /// <summary>The longest datagram that there is (RFC 768), so that the length of every one is known.</summary>
    internal const int BufferBytes = 65_535;

    private readonly DatagramServer _server;
    private readonly Action _completed;
    private ValueTask _handling;
    private EndpointDatagrams? _pipeline;
    private long _number;

    internal DatagramContext(DatagramServer server)
    {
        _server = server;
        _completed = () => _server.Complete(this);
        Messages = new(this);
    }

    /// <summary>Who sent it.</summary>
    public PeerAddress Peer { get; private set; }

    /// <summary>The endpoint that received it.</summary>
    public IDatagramEndpoint Endpoint => _server;

    /// <summary>Where the reply is written: one datagram, of at most 65,507 bytes, sent when the handler is done. Nothing written, nothing sent.</summary>
    public IBufferWriter<byte> Reply => ReplyBuffer;

    /// <summary>The way back, for an answer that comes when this context is somebody else's.</summary>
    public ReturnAddress Return => new(Peer, LocalHigh, LocalLow, Interface, Budget);

    /// <summary>The bytes that came.</summary>
    internal byte[] Bytes { get; } = GC.AllocateUninitializedArray<byte>(BufferBytes, pinned: true);

    internal int Length { get; private set; }

    internal bool IsTruncated { get; private set; }

    internal ReplyBuffer ReplyBuffer { get; } = new();

    internal ulong LocalHigh { get; private set; }

    internal ulong LocalLow { get; private set; }

    internal int Interface { get; private set; }

    /// <summary>Bytes on the wire that may be sent in answer.</summary>
    internal int Budget { get; private set; }

    /// <summary>The same datagram for a <see cref="MessageHandler{TOptions}"/>.</summary>
    internal MessageContext Messages { get; }

    /// <summary>What serves it, while a handler is at it.</summary>
    internal EndpointDatagrams Pipeline => _pipeline!;

    internal ReadOnlyMemory<byte> Payload => Bytes.AsMemory(0, Length);

    string IHandlerPeer.ConnectionId => $"{_server.Name}-{_number:x}";

    string IHandlerPeer.Endpoint => _server.Name;

    IPEndPoint IHandlerPeer.Remote => Peer.ToIPEndPoint();

    CancellationToken IHandlerPeer.Draining => _server.Draining;

    CancellationToken IHandlerPeer.Aborted => _server.Aborted;

    void IHandlerPeer.CancelReadOnDrain(PipeReader input) => throw new NotSupportedException("A datagram has no stream to read.");

    void IHandlerPeer.CountMessages(int count)
    {
        // Each datagram is one, and counted as that.
    }

    void IHandlerPeer.SetOutcome(ConnectionOutcome outcome)
    {
        // A datagram has none.
    }

    internal void Received(in PeerAddress peer, int length, bool isTruncated)
    {
        (Peer, Length, IsTruncated) = (peer, length, isTruncated);
        (LocalHigh, LocalLow, Interface) = (0, 0, 0);
        Budget = ReplyBudget.For(length, peer.IsIPv4);
    }

    internal void SetLocal(ulong high, ulong low, int interfaceIndex) => (LocalHigh, LocalLow, Interface) = (high, low, interfaceIndex);

    /// <summary>A handler is about to get it.</summary>
    internal void Begin(EndpointDatagrams pipeline, long number)
    {
        (_pipeline, _number) = (pipeline, number);
        ReplyBuffer.Clear();
    }

    /// <summary>The handler is not done: the server is told when it is.</summary>
    internal void Await(in ValueTask handling)
    {
        _handling = handling;
        _handling.GetAwaiter().UnsafeOnCompleted(_completed);
    }

    /// <exception cref="Exception">What the handler threw.</exception>
    internal void ThrowIfFailed()
    {
        var handling = _handling;
        _handling = default;
#pragma warning disable VSTHRD002, CA1849 // It has completed.
        handling.GetAwaiter().GetResult();
#pragma warning restore VSTHRD002, CA1849
    }
}
