namespace Perch.Endpoints;

/// <summary>An endpoint as it is now.</summary>
/// <param name="Name">Its key in the configuration.</param>
/// <param name="Protocol">The protocol's name.</param>
/// <param name="Address">What is bound, e.g. <c>tcp 127.0.0.1:25000</c>: the real port where the configuration has 0.</param>
/// <param name="Port">The bound TCP or UDP port, or null.</param>
/// <param name="State">Where it is in its life.</param>
/// <param name="Reason">Why it failed, or null.</param>
/// <param name="NextRetry">When a failed bind is tried again, or null.</param>
/// <param name="Connections">Open connections; on UDP the datagrams that are being handled.</param>
public sealed record EndpointStatus(
    string Name, string Protocol, string Address, int? Port, EndpointState State, string? Reason, DateTimeOffset? NextRetry, int Connections);
