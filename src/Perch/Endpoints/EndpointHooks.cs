using Microsoft.AspNetCore.Connections;

namespace Perch.Endpoints;

/// <summary>What a server calls of the endpoint that it serves.</summary>
/// <param name="Name">The endpoint's.</param>
/// <param name="Serve">With each connection.</param>
/// <param name="LoopHeld">When a handler holds a loop of the direct transport.</param>
internal sealed record EndpointHooks(string Name, ConnectionDelegate Serve, Action LoopHeld);
