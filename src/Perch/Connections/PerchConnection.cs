namespace Perch.Connections;

/// <summary>The connection that the running code serves, for code that is not handed it, such as what writes its name on log lines.</summary>
/// <remarks>It stands in for a log scope, which with Serilog would be six objects of each connection.</remarks>
public static class PerchConnection
{
    private static readonly AsyncLocal<ConnectionState?> Served = new();

    /// <summary>Goes with the code wherever that waits and goes on; null where no connection has led to it. The connection may have ended meanwhile.</summary>
    public static IPerchConnectionFeature? Current => Served.Value;

    internal static void Enter(ConnectionState connection) => Served.Value = connection;
}
