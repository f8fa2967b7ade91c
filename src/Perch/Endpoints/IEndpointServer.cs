namespace Perch.Endpoints;

/// <summary>A bound socket of an endpoint and what serves it: Kestrel for TCP and Unix sockets, over the loops of the direct transport or its own; a receive loop for UDP.</summary>
internal interface IEndpointServer : IDisposable
{
    /// <summary>The bound port, or null for a Unix socket.</summary>
    int? Port { get; }

    /// <summary>What is being handled and is no connection.</summary>
    int InHand { get; }

    /// <summary>Ends, after <see cref="StopAsync"/>, when somebody else can bind the port: at once for TCP, for UDP when the last answer has left from it.</summary>
    Task Released { get; }

    /// <summary>Applies the guards that are options of the socket, for connections that are accepted from now on.</summary>
    void Apply(GuardOptions guards);

    /// <summary>
    /// Takes nothing new once it has returned its task, and has what only the server knows of finish. The task ends when nothing new
    /// can come and nothing of that is left, or shortly after <paramref name="abort"/>. For its connections the endpoint cares.
    /// </summary>
    Task StopAsync(CancellationToken abort);
}
