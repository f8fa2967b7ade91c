using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Perch.Transport.Buffers;

namespace Perch.Transport.Tests;

/// <summary>What <see cref="PipeReader"/> promises, over a connection.</summary>
public sealed class ReaderTests
{
    /// <summary>More than a block.</summary>
    private const int Bulk = 100_000;

    [Theory]
    [Transports]
    public async Task ReadAsync_BytesAreThere_ReturnsThem(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("hello");

        var read = await server.Transport.Input.ReadUntilAsync(5);

        Assert.Equal("hello", read.Text());
        Assert.False(read.IsCompleted);
        server.Transport.Input.AdvanceTo(read.Buffer.End);
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_NothingIsThere_WaitsForIt(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        for (var i = 0; i < 1000; i++)
        {
            var reading = input.ReadAsync().Soon();
            await client.SendTextAsync("x");
            var read = await reading;
            Assert.Equal("x", read.Text());
            input.AdvanceTo(read.Buffer.End);
        }
    }

    [Theory]
    [Transports]
    public async Task AdvanceTo_PartlyConsumedAllExamined_WaitsForMoreAndSeesTheRestAgain(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendTextAsync("abcdef");
        var first = await input.ReadUntilAsync(6);
        input.AdvanceTo(first.Buffer.GetPosition(2), first.Buffer.End);

        var second = input.ReadAsync();
        Assert.False(second.IsCompleted);
        await client.SendTextAsync("gh");

        var read = await second.Soon();
        Assert.Equal("cdefgh", read.Text());
        input.AdvanceTo(read.Buffer.End);
    }

    [Theory]
    [Transports]
    public async Task AdvanceTo_NotAllExamined_ReadReturnsAtOnce(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendTextAsync("abcdef");
        var first = await input.ReadUntilAsync(6);
        input.AdvanceTo(first.Buffer.GetPosition(1), first.Buffer.GetPosition(3));

        var second = input.ReadAsync();

        Assert.True(second.IsCompleted);
        var read = await second;
        Assert.Equal("bcdef", read.Text());
        input.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
        Assert.True(input.TryRead(out read));
        Assert.Equal("bcdef", read.Text());
        input.AdvanceTo(read.Buffer.End);
    }

    [Theory]
    [Transports]
    public async Task AdvanceTo_ManyBlocks_ConsumesAcrossThem(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        var sent = PeerExtensions.Pattern(900_000);
        var sending = Task.Run(async () =>
        {
            for (var at = 0; at < sent.Length;) at += await client.SendAsync(sent.AsMemory(at));
        });
        var received = new ArrayBufferWriter<byte>();
        var random = new Random(7);
        // It all piles up first, and then goes in odd pieces, by positions in every block.
        var piled = await input.ReadUntilAsync(sent.Length);
        input.AdvanceTo(piled.Buffer.Start, piled.Buffer.Start);
        while (received.WrittenCount < sent.Length)
        {
            var read = await input.ReadAsync().Soon();
            var take = Math.Min(random.Next(1, 100_000), read.Buffer.Length);
            foreach (var segment in read.Buffer.Slice(0, take)) received.Write(segment.Span);
            input.AdvanceTo(read.Buffer.GetPosition(take));
        }

        await sending.Soon();
        Assert.True(received.WrittenSpan.SequenceEqual(sent));
        Assert.False(input.TryRead(out _));
    }

    [Theory]
    [Transports]
    public async Task AdvanceTo_WithoutARead_Throws(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("ab");
        var read = await server.Transport.Input.ReadUntilAsync(2);
        server.Transport.Input.AdvanceTo(read.Buffer.End);

        Assert.Throws<InvalidOperationException>(() => server.Transport.Input.AdvanceTo(read.Buffer.End));
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_WithoutAdvanceTo_Throws(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("ab");
        var read = await server.Transport.Input.ReadUntilAsync(2);

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.Transport.Input.ReadAsync());
        server.Transport.Input.AdvanceTo(read.Buffer.End);
    }

    [Theory]
    [Transports]
    public async Task TryRead_NothingIsThere_IsFalse(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        Assert.False(server.Transport.Input.TryRead(out _));
        await client.SendTextAsync("ab");

        var reading = server.Transport.Input.ReadAsync();
        var read = await reading.Soon();
        server.Transport.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        Assert.False(server.Transport.Input.TryRead(out _));
    }

    [Theory]
    [Transports]
    public async Task ReadAtLeastAsync_BytesComeOneByOne_ReturnsWhenThereAreEnough(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reading = server.Transport.Input.ReadAtLeastAsync(10).Soon();
        for (var i = 0; i < 10; i++) await client.SendTextAsync("z");

        Assert.Equal("zzzzzzzzzz", (await reading).Text());
    }

    [Theory]
    [Transports]
    public async Task ReadAtLeastAsync_EndComesBefore_HandsOutWhatCame(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reading = server.Transport.Input.ReadAtLeastAsync(Bulk).Soon();
        await client.SendTextAsync("rest");
        client.Shutdown(SocketShutdown.Send);
        var read = await reading;
        Assert.True(read.IsCompleted);
        Assert.Equal("rest", read.Text());
    }

    [Theory]
    [Transports]
    public async Task ReadAtLeastAsync_Cancelled_HandsOutWhatCameAndTheRestLater(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        var sent = PeerExtensions.Pattern(Bulk);
        await client.SendAsync(sent.AsMemory(0, 1000));
        var first = await input.ReadUntilAsync(1000);
        input.AdvanceTo(first.Buffer.Start, first.Buffer.End);
        var reading = input.ReadAtLeastAsync(Bulk).Soon();
        input.CancelPendingRead();
        var cancelled = await reading;
        Assert.True(cancelled.IsCanceled);
        Assert.Equal(1000, cancelled.Buffer.Length);
        input.AdvanceTo(cancelled.Buffer.GetPosition(10));
        await client.SendAsync(sent.AsMemory(1000));
        Assert.Equal(sent[10..], (await input.ReadUntilAsync(Bulk - 10)).Buffer.ToArray());
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAtLeastAsync_OfBulk_HandsOutExactlySoMuch(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reader = server.Transport.Input;
        var sent = PeerExtensions.Pattern(10 * Bulk);
        var sending = Task.Run(() => client.SendAsync(sent));
        for (var part = 0; part < 10; part++)
        {
            var read = await reader.ReadUntilAsync(Bulk);
            Assert.True(read.Buffer.ToArray().AsSpan().SequenceEqual(sent.AsSpan(part * Bulk, Bulk)));
            reader.AdvanceTo(read.Buffer.End);
        }

        await sending;
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAtLeastAsync_OfBulkThatIsThereAndSeen_WaitsForMore(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reader = server.Transport.Input;
        await client.SendAsync(new byte[Bulk]);
        var seen = await reader.ReadUntilAsync(Bulk);
        reader.AdvanceTo(seen.Buffer.Start, seen.Buffer.End);
        var more = reader.ReadAtLeastAsync(Bulk - 1).Soon();
        await client.SendTextAsync("more");
        var read = await more;
        Assert.False(read.IsCompleted);
        Assert.InRange(read.Buffer.Length, Bulk + 1, Bulk + 4);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAtLeastAsync_OfLargeBlocks_EachIsOneOfWholePages(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reader = server.Transport.Input;
        var sent = PeerExtensions.Pattern(100 + (4 * Block.LargeSize));
        var sending = Task.Run(() => client.SendAsync(sent));
        // What came with something else, and so begins at an odd place, does not shift what is behind it.
        var first = await reader.ReadUntilAsync(100);
        reader.AdvanceTo(first.Buffer.GetPosition(100), first.Buffer.End);
        var rest = await reader.ReadUntilAsync(Block.LargeSize);
        Assert.Equal(Block.LargeSize, rest.Buffer.Length);
        reader.AdvanceTo(rest.Buffer.End);
        // Those before are still held while the next one comes.
        var held = 0;
        for (var part = 1; part < 4; part++)
        {
            var read = await reader.ReadUntilAsync(held + Block.LargeSize);
            var fresh = read.Buffer.Slice(held);
            Assert.True(fresh.IsSingleSegment);
            Assert.True(IsOnPage(fresh.FirstSpan));
            Assert.True(fresh.FirstSpan.SequenceEqual(sent.AsSpan(100 + (part * Block.LargeSize), Block.LargeSize)));
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            held += Block.LargeSize;
        }

        await sending;
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAtLeastAsync_OfBulkFromElsewhere_StillHearsOfBytesAndOfTheEnd(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var reader = server.Transport.Input;
        var bulk = PeerExtensions.Pattern(Bulk);
        for (var i = 0; i < 50; i++)
        {
            await client.SendAsync(bulk);
            // Found without the loop, which is not told any more.
            var read = await reader.ReadUntilAsync(Bulk);
            reader.AdvanceTo(read.Buffer.End);
            var waiting = reader.ReadAsync().AsTask();
            await client.SendTextAsync("later");
            Assert.Equal("later", (await waiting.Soon()).Text());
            reader.AdvanceTo((await waiting).Buffer.End);
        }

        await client.SendAsync(bulk);
        var last = await reader.ReadUntilAsync(Bulk);
        reader.AdvanceTo(last.Buffer.End);
        client.Shutdown(SocketShutdown.Send);
        Assert.True((await reader.ReadAsync().Soon()).IsCompleted);
    }

    [Theory]
    [Transports]
    public async Task CancelPendingRead_FromAnotherThread_EndsTheWaitAndLosesNothing(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        for (var i = 0; i < 200; i++)
        {
            var reading = input.ReadAsync().Soon();
            _ = Task.Run(input.CancelPendingRead);
            var cancelled = await reading;
            Assert.True(cancelled.IsCanceled);
            Assert.True(cancelled.Buffer.IsEmpty);
            input.AdvanceTo(cancelled.Buffer.Start, cancelled.Buffer.End);

            await client.SendTextAsync("ok");
            var read = await input.ReadUntilAsync(2);
            Assert.False(read.IsCanceled);
            Assert.Equal("ok", read.Text());
            input.AdvanceTo(read.Buffer.End);
        }
    }

    [Theory]
    [Transports]
    public async Task CancelPendingRead_NoReadUnderWay_CancelsTheNextOnce(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        input.CancelPendingRead();

        Assert.True((await input.ReadAsync().Soon()).IsCanceled);
        // A cancelled result may be left without AdvanceTo.
        await client.SendTextAsync("x");
        var read = await input.ReadAsync().Soon();
        Assert.False(read.IsCanceled);
        Assert.Equal("x", read.Text());
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task CancelPendingRead_BytesHaveArrived_HandsThemOut(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendTextAsync("x");
        var text = "";
        // Loopback may deliver the byte after the send has returned.
        for (var watch = Stopwatch.StartNew(); text.Length == 0 && watch.Elapsed < TransportHost.Limit;)
        {
            input.CancelPendingRead();
            var read = await input.ReadAsync().Soon();
            Assert.True(read.IsCanceled);
            text = read.Text();
            input.AdvanceTo(read.Buffer.End);
        }

        Assert.Equal("x", text);
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_TokenIsCancelled_ThrowsAndTheNextReadWorks(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        for (var i = 0; i < 50; i++)
        {
            using var source = new CancellationTokenSource();
            var reading = input.ReadAsync(source.Token).Soon();
            await source.CancelAsync();
            var thrown = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
            Assert.Equal(source.Token, thrown.CancellationToken);
        }

        await client.SendTextAsync("after");
        Assert.Equal("after", (await input.ReadUntilAsync(5)).Text());
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_PeerEnds_IsCompletedWithWhatIsLeft(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("last");
        client.Shutdown(SocketShutdown.Send);

        var text = new StringBuilder();
        while (true)
        {
            var read = await server.Transport.Input.ReadAsync().Soon();
            text.Append(read.Text());
            server.Transport.Input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) break;
        }

        Assert.Equal("last", text.ToString());
        Assert.True((await server.Transport.Input.ReadAsync().Soon()).IsCompleted);
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_PeerEndsWithinAMessage_KeepsTheUnconsumed(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("half");
        client.Shutdown(SocketShutdown.Send);

        ReadResult read;
        while (!(read = await server.Transport.Input.ReadAsync().Soon()).IsCompleted) server.Transport.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);

        Assert.Equal("half", read.Text());
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_PeerResets_ThrowsConnectionReset(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        // Kestrel's takes that for an end.
        if (kind == TransportKind.SocketsUnix) return;
        if (kind == TransportKind.DirectUnix)
        {
            // A Unix socket is reset where it is closed with bytes unread.
            await server.Transport.Output.WriteAsync(new byte[10]);
            client.Close();
        }
        else
        {
            var reading = server.Transport.Input.ReadAsync().Soon();
            client.LingerState = new(true, 0);
            client.Close();
            await Assert.ThrowsAsync<ConnectionResetException>(() => reading);
        }

        await Assert.ThrowsAsync<ConnectionResetException>(async () => await server.Transport.Input.ReadAsync().Soon());
        await server.AwaitClosedAsync();
    }

    [Theory]
    [Transports]
    public async Task ReadAsync_AfterComplete_Throws(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("unread");
        await server.Transport.Input.CompleteAsync(new InvalidDataException("enough"));

        await Assert.ThrowsAsync<InvalidOperationException>(async () => await server.Transport.Input.ReadAsync());
        Assert.Throws<InvalidOperationException>(() => server.Transport.Input.TryRead(out _));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task Complete_AReadWaits_ThatEnds(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        var reading = server.Transport.Input.ReadAsync().Soon();

        await server.Transport.Input.CompleteAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => reading);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAsync_UrgentDataComesBetween_TheRestIsStillRead(TransportKind kind)
    {
        if (kind == TransportKind.DirectUnix) return;
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("ab");
        await client.SendAsync("!"u8.ToArray(), SocketFlags.OutOfBand);
        await client.SendTextAsync("cd");

        Assert.Equal("abcd", (await server.Transport.Input.ReadUntilAsync(4)).Text());
    }

    private static unsafe bool IsOnPage(ReadOnlySpan<byte> bytes)
    {
        fixed (byte* start = bytes) return (nint)start % Environment.SystemPageSize == 0;
    }
}
