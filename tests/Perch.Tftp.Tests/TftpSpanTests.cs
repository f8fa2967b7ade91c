using System.Diagnostics;
using Perch.Diagnostics;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

public sealed class TftpSpanTests : IDisposable
{
    private const int Bytes = 30_011;

    private readonly SpanRecorder _spans = new(PerchTracing.SourceName);

    public void Dispose() => _spans.Dispose();

    [Fact]
    public async Task Write_Stored_IsASpanOfTheTransfer()
    {
        await using var host = await TftpHost.StartAsync("""{ "AllowWrite": true }""");
        var port = host.EndPoint.Port;
        using var peer = host.Connect();
        await peer.WriteAllAsync("f", FileFolder.Bytes(Bytes));
        await host.UntilEndedAsync("completed", "write");
        await host.DrainAsync().Soon();

        var span = Assert.Single(_spans.Ended, span => Equals(span.GetTagItem("perch.protocol"), "tftp") && Equals(span.GetTagItem("client.port"), peer.Local.Port));
        Assert.Equal(("tftp", ActivityKind.Server, default), (span.DisplayName, span.Kind, span.ParentSpanId));
        Assert.Equal(("udp", "127.0.0.1"), (span.GetTagItem("network.transport"), span.GetTagItem("client.address")));
        // The endpoint's port, at which the client asked; the transfer has a port of its own.
        Assert.Equal(port, span.GetTagItem("server.port"));
        Assert.Equal("Completed", span.GetTagItem("perch.outcome"));
        Assert.Equal(["store"], span.Events.Select(e => e.Name));
        Assert.Equal([new("perch.file.bytes", (long)Bytes)], span.Events.Last().Tags);
    }
}
