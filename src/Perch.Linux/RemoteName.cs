using System.Net;

namespace Perch.Linux;

/// <summary>
/// Where a connection comes from: an IPv4 address as a value, since few ask, and the end point from when it is first asked for.
/// A mutable struct: kept in a field, never copied once it was asked.
/// </summary>
public struct RemoteName
{
    private readonly uint _address;
    private readonly ushort _port;
    private readonly bool _isIPv4;
    private EndPoint? _endPoint;

    /// <param name="endPoint">Null where there is none, as with Unix sockets.</param>
    public RemoteName(EndPoint? endPoint) => _endPoint = endPoint;

    /// <param name="address">IPv4, in the network's byte order.</param>
    /// <param name="port">In the machine's.</param>
    public RemoteName(uint address, ushort port) => (_address, _port, _isIPv4) = (address, port, true);

    /// <summary>Always the same one, which <see cref="Replace"/> changes; null where there is none.</summary>
    public EndPoint? EndPoint
    {
        get
        {
            if (Volatile.Read(ref _endPoint) is { } known) return known;
            if (!_isIPv4) return null;
            var made = new IPEndPoint(_address, _port);
            return Interlocked.CompareExchange(ref _endPoint, made, null) ?? made;
        }
    }

    public void Replace(EndPoint? endPoint)
    {
        if (endPoint is null) this = default;
        else Volatile.Write(ref _endPoint, endPoint);
    }
}
