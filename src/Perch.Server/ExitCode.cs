using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Perch.Configuration;
using Perch.Endpoints;

namespace Perch.Server;

/// <summary>What the process says when it ends; 128 and the signal's number where a second signal ended it.</summary>
internal static class ExitCode
{
    public const int Stopped = 0;
    public const int Failed = 1;
    public const int Misconfigured = 2;

    /// <returns>Null for what nobody expected: that ends with its stack.</returns>
    public static int? Of(Exception exception) => exception switch
    {
        PerchConfigurationException or ServerCommandException or InvalidDataException or FormatException => Misconfigured,
        NoEndpointBoundException => Failed,
        IOException { InnerException: AddressInUseException } => Failed,
        // Kestrel's, for an address that this machine does not have, or a port that needs a privilege.
        SocketException => Failed,
        _ => null,
    };
}
