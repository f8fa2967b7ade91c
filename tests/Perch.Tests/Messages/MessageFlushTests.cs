using System.IO.Pipelines;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Messages;

/// <summary>How often a burst is sent.</summary>
public sealed class MessageFlushTests
{
    [Fact]
    public async Task Serve_PipelinedBurst_IsSentOnce()
    {
        Assert.Equal([6], await FlushesAsync("a\nb\nc\n", new LineHandler()));
    }

    [Fact]
    public async Task Serve_NothingToSay_SendsNothing()
    {
        Assert.Empty(await FlushesAsync("a\nb\n", new LineHandler((_, _) => ValueTask.CompletedTask)));
    }

    [Fact]
    public async Task Serve_RepliesPast64KiB_AreSentWithinTheBurst()
    {
        var handler = new LineHandler((context, _) =>
        {
            LineHandler.Reply(context, new string('x', 40_000));
            return ValueTask.CompletedTask;
        });

        Assert.Equal([80_000, 80_000, 40_000], await FlushesAsync("1\n2\n3\n4\n5\n", handler));
    }

    [Fact]
    public async Task Converse_PipelinedBurst_IsSentOnce()
    {
        Assert.Equal([6], await FlushesAsync("a\nb\nc\n", new LineConversation((incoming, _) => incoming.Select(line => line + "\n"))));
    }

    [Fact]
    public async Task Converse_RepliesPast64KiB_AreSentWithinTheBurst()
    {
        var handler = new LineConversation((incoming, _) => incoming.Select(_ => new string('x', 40_000)));

        Assert.Equal([80_000, 80_000, 40_000], await FlushesAsync("1\n2\n3\n4\n5\n", handler));
    }

    /// <returns>How many bytes each flush sent.</returns>
    private static async Task<List<long>> FlushesAsync(string burst, Microsoft.AspNetCore.Connections.ConnectionHandler handler)
    {
        using var pipeline = new TestPipeline();
        var connection = new InMemoryConnection(pauseThreshold: 1 << 20, PipeScheduler.Inline);
        var writer = new FlushRecorder(connection.Transport.Output);
        connection.Transport = new Duplex(connection.Transport.Input, writer);
        await connection.SendAsync(burst);
        var serving = pipeline.ServeAsync(handler, connection);
        connection.EndInput();
        await serving.Soon();
        return writer.Flushes;
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;

    private sealed class FlushRecorder(PipeWriter inner) : PipeWriter
    {
        public List<long> Flushes { get; } = [];

        public override bool CanGetUnflushedBytes => true;

        public override long UnflushedBytes => inner.UnflushedBytes;

        public override void Advance(int bytes) => inner.Advance(bytes);

        public override void CancelPendingFlush() => inner.CancelPendingFlush();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            Flushes.Add(inner.UnflushedBytes);
            return inner.FlushAsync(cancellationToken);
        }

        public override Memory<byte> GetMemory(int sizeHint = 0) => inner.GetMemory(sizeHint);

        public override Span<byte> GetSpan(int sizeHint = 0) => inner.GetSpan(sizeHint);
    }
}
