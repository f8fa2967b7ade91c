using System.Buffers;
using Perch.Datagrams;

namespace Perch.Records;

/// <summary>What one receive has brought from whichever peers, with the way back to each.</summary>
internal sealed class RecordDatagramBatch(IDatagramEndpoint from) : RecordBatch(from.Name, "udp")
{
    private (ReturnAddress Return, string Remote)[] _peers = new (ReturnAddress, string)[16];

    public IDatagramEndpoint From { get; } = from;

    public void Add(in ReadOnlySequence<byte> message, bool keyed, in ReturnAddress peer, string remote)
    {
        if (Count == _peers.Length) Array.Resize(ref _peers, Count * 2);
        _peers[Count] = (peer, remote);
        Add(message, keyed);
    }

    public ReturnAddress Return(int index) => _peers[index].Return;

    public override string RemoteOf(int index) => _peers[index].Remote;
}
