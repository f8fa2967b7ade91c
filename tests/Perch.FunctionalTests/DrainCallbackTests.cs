using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>A handler that throws when it is told of the drain keeps no other from being told.</summary>
public sealed class DrainCallbackTests
{
    private const int Connections = 3;

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task Drain_CallbacksThrow_EveryConnectionEndsCleanly(string engine)
    {
        await using var host = await PerchHost.StartAsync(
            new ServerSettings { SocketEngine = engine }.With("rude", """{ "Port": 0, "Protocol": "rude" }"""),
            perch => perch.AddProtocol<RudeHandler>("rude"));
        var clients = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => host.ConnectAsync("rude")));
        foreach (var client in clients) await client.ReceiveAsync(1);

        await host.StopAsync();
        foreach (var client in clients) Assert.Empty(await client.ReceiveToEndAsync());

        // The log is written by a thread of its own.
        await Poll.UntilAsync(() => host.Log.Split("threw when it was told of the drain").Length - 1 == Connections, () => host.Log);
        foreach (var client in clients) client.Dispose();
    }

    private sealed class RudeHandler : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            var draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()!.ConnectionClosedRequested;
            await using var callback = draining.UnsafeRegister(_ => throw new InvalidOperationException("by the test"), null);
            await connection.Transport.Output.WriteAsync(new byte[] { (byte)'x' }, CancellationToken.None);
            await Task.Delay(Timeout.Infinite, draining);
        }
    }
}
