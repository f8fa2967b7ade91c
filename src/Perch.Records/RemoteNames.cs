using Perch.Datagrams;

namespace Perch.Records;

/// <summary>The texts of peers, so that one that sends often is written once. Forged peers push others out, and nothing grows.</summary>
internal sealed class RemoteNames
{
    public const int Most = 4096;

    private readonly Dictionary<PeerAddress, string> _names = [];

    public string Of(PeerAddress peer)
    {
        if (_names.TryGetValue(peer, out var name)) return name;
        if (_names.Count == Most) _names.Clear();
        return _names[peer] = peer.ToString();
    }
}
