using Perch.Connections;
using Serilog.Core;
using Serilog.Events;

namespace Perch.Server.Logging;

/// <summary>The connection, its endpoint and its peer on every log line that is written while the connection is served.</summary>
internal sealed class ConnectionEnricher : ILogEventEnricher
{
    public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
    {
        if (PerchConnection.Current is not { } connection) return;
        Add("ConnectionId", connection.ConnectionId);
        Add("Endpoint", connection.Endpoint);
        Add("Peer", connection.Peer);

        void Add(string name, string value) => logEvent.AddPropertyIfAbsent(new(name, new ScalarValue(value)));
    }
}
