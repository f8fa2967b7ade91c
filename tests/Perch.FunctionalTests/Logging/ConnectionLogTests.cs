using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Logging;

/// <summary>Whatever a handler logs, and wherever it goes on, the line names the connection that it serves.</summary>
public sealed partial class ConnectionLogTests
{
    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task HandlerLogs_OnAnyThread_LineNamesItsConnection(string engine)
    {
        await using var host = await PerchHost.StartAsync(
            new ServerSettings { SocketEngine = engine, LogFormat = "Json" }.With("teller", """{ "Port": 0, "Protocol": "tells" }"""),
            perch => perch.AddProtocol<TellingHandler>("tells"));
        var clients = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => host.ConnectAsync("teller")));
        await Task.WhenAll(clients.Select(client => client.SendAsync(client.LocalAddress)));
        foreach (var client in clients) await client.ReceiveToEndAsync();

        await Poll.UntilAsync(() => Told(host.Log).Count == 20, () => host.Log);
        foreach (var line in Told(host.Log))
        {
            Assert.Equal(line.GetProperty("Text").GetString(), line.GetProperty("Peer").GetString());
            Assert.Equal("teller", line.GetProperty("Endpoint").GetString());
            Assert.Equal(line.GetProperty("Id").GetString(), line.GetProperty("ConnectionId").GetString());
        }

        foreach (var client in clients) client.Dispose();
    }

    /// <remarks>The last line may still be on its way.</remarks>
    private static List<JsonElement> Told(string log) =>
        [.. log[..(log.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(line => JsonElement.Parse(line).GetProperty("Properties"))
            .Where(properties => properties.TryGetProperty("Text", out _))];

    private sealed partial class TellingHandler(ILogger<TellingHandler> logger) : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            var read = await connection.Transport.Input.ReadAsync();
            var text = Encoding.ASCII.GetString(read.Buffer);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
            Heard(logger, text, connection.ConnectionId);
            await Task.Run(() => Heard(logger, text, connection.ConnectionId));
        }

        [LoggerMessage(9900, LogLevel.Information, "Heard {Text} on {Id}")]
        private static partial void Heard(ILogger logger, string text, string id);
    }
}
