using System.Diagnostics;
using Perch.Diagnostics;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class FileSpanTests : IDisposable
{
    /// <summary>Bytes that no other test sends: they identify the span.</summary>
    private const int Bytes = 30_011;

    private readonly SpanRecorder _spans = new(PerchTracing.SourceName);

    public void Dispose() => _spans.Dispose();

    [Fact]
    public async Task Upload_Stored_MarksFirstByteAndStore()
    {
        await using var host = await FileHost.StartAsync("upload");
        var peer = host.Connect();
        await peer.SendAsync(FileFolder.Bytes(Bytes));
        peer.EndInput();
        await peer.ReceiveToEndAsync();
        await peer.EndedAsync();

        AssertStored(Single("upload", "perch.bytes.received", (long)Bytes), "first_byte", "store");
    }

    [Fact]
    public async Task Files_Put_MarksFirstByteAndStore()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync($"PUT f {Bytes}\n");
        await peer.SendAsync(FileFolder.Bytes(Bytes));
        await peer.SendAsync("QUIT\n");
        await peer.ReceiveToEndAsync();
        await peer.EndedAsync();

        var received = (long)$"PUT f {Bytes}\nQUIT\n".Length + Bytes;
        AssertStored(Single("files", "perch.bytes.received", received), "first_byte", "store");
    }

    private static void AssertStored(Activity span, params string[] events)
    {
        Assert.Equal(events, span.Events.Select(e => e.Name));
        Assert.Equal([new("perch.file.bytes", (long)Bytes)], span.Events.Last().Tags);
    }

    private Activity Single(string protocol, string attribute, object value) =>
        Assert.Single(_spans.Ended, span => Equals(span.GetTagItem("perch.protocol"), protocol) && Equals(span.GetTagItem(attribute), value));
}
