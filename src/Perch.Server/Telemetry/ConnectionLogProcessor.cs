using OpenTelemetry;
using OpenTelemetry.Logs;
using Perch.Connections;

namespace Perch.Server.Telemetry;

/// <summary>The connection, its endpoint and its peer on every exported log record that is written while the connection is served.</summary>
internal sealed class ConnectionLogProcessor : BaseProcessor<LogRecord>
{
    public override void OnEnd(LogRecord data)
    {
        if (PerchConnection.Current is not { } connection)
            return;
        var attributes = new List<KeyValuePair<string, object?>>(data.Attributes ?? []);
        Add("ConnectionId", connection.ConnectionId);
        Add("Endpoint", connection.Endpoint);
        Add("Peer", connection.Peer);
        data.Attributes = attributes;

        void Add(string name, string value)
        {
            if (!attributes.Exists(attribute => attribute.Key == name))
                attributes.Add(new(name, value));
        }
    }
}
