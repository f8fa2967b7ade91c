using Microsoft.AspNetCore.Connections;

namespace Perch.Endpoints;

/// <summary>What a server calls of the endpoint that it serves.</summary>
/// <param name="Name">The endpoint's.</param>
/// <param name="Serve">With each connection.</param>
/// <param name="LoopHeld">When a handler holds a loop of the direct transport.</param>
/// <param name="ListenerChanged">When the listening socket of the direct transport has failed, with the reason, and with null when it listens again.</param>
internal sealed record EndpointHooks(string Name, ConnectionDelegate Serve, Action LoopHeld, Action<string?> ListenerChanged);
