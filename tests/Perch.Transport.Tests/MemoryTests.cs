using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Perch.Transport.Buffers;

namespace Perch.Transport.Tests;

/// <summary>Bytes that a connection occupies, and the pause of its reads.</summary>
public sealed class MemoryTests
{
    private const int MoreThanSocketsTake = 32 * 1024 * 1024;

    private const int Large = 2 * 1024 * 1024;

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task BytesOccupied_OneByteOfAMessage_AreASmallBlock(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendTextAsync("x");
        var read = await input.ReadUntilAsync(1);
        input.AdvanceTo(read.Buffer.Start, read.Buffer.End);

        var reading = input.ReadAsync();

        Assert.False(reading.IsCompleted);
        Assert.Equal(Block.SmallSize, Occupied(server));
        Assert.Equal(Block.SmallSize, host.Loops!.BytesOccupied);
        await client.SendTextAsync("y");
        read = await reading.Soon();
        Assert.Equal("xy", read.Text());
        Assert.True(read.Buffer.IsSingleSegment);
        input.AdvanceTo(read.Buffer.End);
        Assert.Equal(0, Occupied(server));
        Assert.Equal(0, host.Loops.BytesOccupied);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task BytesOccupied_OneByteOfABulkRead_AreASmallBlock(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        var sent = PeerExtensions.Pattern(Large);
        var reading = input.ReadAtLeastAsync(Large).AsTask();
        await client.SendAsync(sent.AsMemory(0, 1));
        await UntilAsync(() => Occupied(server) == Block.SmallSize);

        await client.SendAllAsync(sent.AsMemory(1));

        var read = await reading.Soon();
        Assert.True(read.Buffer.IsSingleSegment);
        Assert.True(read.Buffer.FirstSpan.SequenceEqual(sent));
        input.AdvanceTo(read.Buffer.End);
        Assert.Equal(0, host.Loops!.BytesOccupied);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAsync_ByteByByte_KeepsTheBytes(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        var sent = PeerExtensions.Pattern(5000);
        ReadResult read = default;
        for (var i = 0; i < sent.Length; i++)
        {
            var reading = input.ReadAsync().Soon();
            await client.SendAsync(sent.AsMemory(i, 1));
            read = await reading;
            if (i < sent.Length - 1)
                input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }

        Assert.Equal(sent, read.Buffer.ToArray());
        input.AdvanceTo(read.Buffer.End);
        Assert.Equal(0, host.Loops!.BytesOccupied);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 70_000)]
    [InlineData(4095, 2)]
    [InlineData(4096, 1)]
    [InlineData(4096, 65_536)]
    [InlineData(4097, 65_536)]
    [InlineData(65_536, 4096)]
    [InlineData(65_537, 1)]
    public async Task ReadAsync_RestOfASplitSize_KeepsTheBytes(int rest, int more)
    {
        await using var host = await TransportHost.StartAsync(TransportKind.Direct);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        var sent = PeerExtensions.Pattern(100 + rest + more);
        await client.SendAllAsync(sent.AsMemory(0, 100 + rest));
        var read = await input.ReadUntilAsync(100 + rest);
        // The rest begins within a block.
        input.AdvanceTo(read.Buffer.GetPosition(100), read.Buffer.End);
        var reading = input.ReadAtLeastAsync(rest + more);
        Assert.False(reading.IsCompleted);
        Assert.Equal(rest <= Block.SmallSize, Occupied(server) == Block.SmallSize);

        await client.SendAllAsync(sent.AsMemory(100 + rest));

        read = await reading.Soon();
        Assert.Equal(sent[100..], read.Buffer.ToArray());
        input.AdvanceTo(read.Buffer.End);
        Assert.Equal(0, host.Loops!.BytesOccupied);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task BytesOccupied_PeerEndsWithinAMessage_AreASmallBlock(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendTextAsync("x");
        var reading = input.ReadAtLeastAsync(10).AsTask();
        client.Shutdown(SocketShutdown.Send);

        var read = await reading.Soon();

        Assert.True(read.IsCompleted);
        Assert.Equal("x", read.Text());
        Assert.Equal(Block.SmallSize, Occupied(server));
        input.AdvanceTo(read.Buffer.End);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task BytesOccupied_PeerDoesNotRead_AreTheBacklog(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        var output = server.Transport.Output;
        // More than both sockets take.
        output.Write(new byte[MoreThanSocketsTake]);
        var flush = output.FlushAsync().AsTask();

        Assert.InRange(Occupied(server), 1, MoreThanSocketsTake + Block.Size);
        Assert.Equal(Occupied(server), host.Loops!.BytesOccupied);
        server.Abort();
        await flush.Soon();
        await UntilAsync(() => host.Loops.BytesOccupied == 0);
        Assert.Equal(0, Occupied(server));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task PauseReading_BytesArrive_AreReadAfterResume(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var (input, memory) = (server.Transport.Input, Memory(server));
        for (var i = 0; i < 1000; i++)
        {
            memory.PauseReading();
            var reading = input.ReadAsync();
            await client.SendTextAsync("x");
            if (i % 10 == 0)
            {
                // Bytes of another connection pass through the same loops meanwhile.
                var (other, otherClient) = await host.ConnectAsync();
                await otherClient.SendTextAsync("y");
                await other.Transport.Input.ReadUntilAsync(1);
            }

            Assert.False(reading.IsCompleted);
            memory.ResumeReading();
            var read = await reading.Soon();
            Assert.Equal("x", read.Text());
            input.AdvanceTo(read.Buffer.End);
        }
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task PauseReading_TurnedOnAndOffAllTheTime_LosesNothing(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var (input, memory) = (server.Transport.Input, Memory(server));
        var sent = PeerExtensions.Pattern(8 * 1024 * 1024);
        using var done = new CancellationTokenSource();
        var pausing = Task.Run(() =>
        {
            while (!done.IsCancellationRequested)
            {
                memory.PauseReading();
                Thread.Yield();
                memory.ResumeReading();
            }
        });
        var sending = Task.Run(() => client.SendAllAsync(sent));
        var received = new ArrayBufferWriter<byte>();
        while (received.WrittenCount < sent.Length)
        {
            var read = await input.ReadAsync().Soon();
            foreach (var segment in read.Buffer)
                received.Write(segment.Span);
            input.AdvanceTo(read.Buffer.End);
        }

        await sending.Soon();
        await done.CancelAsync();
        await pausing.Soon();
        Assert.True(received.WrittenSpan.SequenceEqual(sent));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task PauseReading_ConnectionIsReset_ReadThrows(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        Memory(server).PauseReading();
        var reading = server.Transport.Input.ReadAsync().AsTask();

        client.LingerState = new(true, 0);
        client.Dispose();

        if (client.ProtocolType == ProtocolType.Tcp)
            await Assert.ThrowsAnyAsync<IOException>(() => reading.Soon());
        Memory(server).ResumeReading();
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task SetRoom_NoRoom_OnlyReadsThatHoldABlockWait(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client, reading) = await WaitForRoomAsync(host);
        for (var i = 0; i < 10; i++)
        {
            var (other, otherClient) = await host.ConnectAsync();
            await otherClient.SendTextAsync("y");
            await other.Transport.Input.ReadUntilAsync(1);
        }

        Assert.False(reading.IsCompleted);
        host.Loops!.SetRoom(Block.Size);

        Assert.Equal(Block.Size + 1, (await reading.Soon()).Buffer.Length);
        GC.KeepAlive((server, client));
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task SetRoom_SeveralReadsWait_AsManyContinueAsThereIsRoomFor(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (first, second) = (await WaitForRoomAsync(host), await WaitForRoomAsync(host));

        host.Loops!.SetRoom(Block.Size);
        await Task.WhenAny(first.Reading, second.Reading).Soon();
        Assert.NotEqual(first.Reading.IsCompleted, second.Reading.IsCompleted);

        host.Loops.SetRoom(Block.Size);
        await Task.WhenAll(first.Reading, second.Reading).Soon();
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task SetRoom_ConnectionThatWaitsIsReset_DoesNotWaitLonger(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client, reading) = await WaitForRoomAsync(host);

        client.LingerState = new(true, 0);
        client.Dispose();

        // A Unix socket has no reset.
        if (client.ProtocolType != ProtocolType.Tcp)
            return;
        // The last byte had arrived before the reset.
        var read = await reading.Soon();
        server.Transport.Input.AdvanceTo(read.Buffer.End);
        await Assert.ThrowsAnyAsync<IOException>(() => server.Transport.Input.ReadAsync().AsTask().Soon());
    }

    [Fact]
    public void SetRoom_FreeBlocks_AreKeptUpToTheLimit()
    {
        const int count = 600;
        var shared = new SharedBlocks();
        Block[] blocks = [.. Enumerable.Range(0, count).Select(_ => shared.TryRent()!)];

        shared.SetRoom(0);
        foreach (var block in blocks)
            shared.Return(block);
        Assert.Equal(count * Block.Size, shared.FreeBytes);

        shared.SetRoom(300 * Block.Size);
        Assert.Equal(300 * Block.Size, shared.FreeBytes);
        shared.SetRoom(-1);
        Assert.Equal(16 * 1024 * 1024, shared.FreeBytes);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAsync_NoMemory_EndsTheConnectionAndCountsNothing(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (waiting, first) = await host.ConnectAsync();
        var (late, second) = await host.ConnectAsync();
        var blocks = host.Loops!.Blocks;
        var allocate = blocks.Allocate;
        // The loop receives for the one; the other receives itself.
        var reading = waiting.Transport.Input.ReadAsync().AsTask();
        blocks.Trim();
        blocks.Trim();
        Assert.Equal(0, blocks.FreeBytes);
        blocks.Allocate = NoMemory;
        await first.SendTextAsync("x");
        await second.SendTextAsync("x");

        await Assert.ThrowsAnyAsync<ConnectionResetException>(() => reading.Soon());
        await Assert.ThrowsAnyAsync<ConnectionResetException>(() => late.Transport.Input.ReadAsync().AsTask().Soon());

        Assert.True(Memory(waiting).HasRunOut);
        Assert.True(Memory(late).HasRunOut);
        Assert.Equal(0, host.Loops.BytesOccupied);
        blocks.Allocate = allocate;
        var (server, client) = await host.ConnectAsync();
        await client.SendTextAsync("y");
        Assert.Equal("y", (await server.Transport.Input.ReadUntilAsync(1)).Text());
        Assert.False(Memory(server).HasRunOut);
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task ReadAsync_NoMemoryForASmallBlock_KeepsTheBytes(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendTextAsync("x");
        var read = await input.ReadUntilAsync(1);
        input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        host.Loops!.Blocks.Allocate = NoMemory;

        var reading = input.ReadAsync();
        await client.SendTextAsync("y");

        Assert.Equal("xy", (await reading.Soon()).Text());
    }

    [Theory]
    [Transports(DirectOnly = true)]
    public async Task GetMemory_NoMemory_ThrowsAndCountsNothing(TransportKind kind)
    {
        await using var host = await TransportHost.StartAsync(kind);
        var (server, _) = await host.ConnectAsync();
        host.Loops!.Blocks.Allocate = NoMemory;

        Assert.ThrowsAny<OutOfMemoryException>(() => server.Transport.Output.GetMemory());
        Assert.ThrowsAny<OutOfMemoryException>(() => server.Transport.Output.GetMemory(Large));

        Assert.Equal(0, host.Loops.BytesOccupied);
    }

    [Fact]
    public void Trim_FreeBlocks_GivesUpThoseThatWereNotUsed()
    {
        var shared = new SharedBlocks();
        var pool = new BlockPool(shared);
        Block[] blocks = [.. Enumerable.Range(0, 8).Select(_ => pool.TryRent()!), .. Enumerable.Range(0, 8).Select(_ => pool.TryRentSmall()!), pool.TryRentLarge()!];
        foreach (var block in blocks)
            pool.Return(block);

        Assert.Equal((8 * (Block.Size + Block.SmallSize)) + blocks[^1].Occupied, shared.FreeBytes);
        // All of them were used since the last call.
        shared.Trim();
        Assert.Equal((8 * (Block.Size + Block.SmallSize)) + blocks[^1].Occupied, shared.FreeBytes);
        Block[] used = [pool.TryRent()!, pool.TryRent()!, pool.TryRentSmall()!];
        foreach (var block in used)
            pool.Return(block);

        shared.Trim();

        Assert.Equal((2 * Block.Size) + Block.SmallSize, shared.FreeBytes);
        shared.Trim();
        Assert.Equal(0, shared.FreeBytes);
        Assert.Equal(0, shared.Rented);
    }

    /// <summary>A connection that holds one block, and whose read waits until there is room for the next byte.</summary>
    private static async Task<(ConnectionContext Server, Socket Client, Task<ReadResult> Reading)> WaitForRoomAsync(TransportHost host)
    {
        var (server, client) = await host.ConnectAsync();
        var input = server.Transport.Input;
        await client.SendAllAsync(PeerExtensions.Pattern(Block.Size));
        var read = await input.ReadUntilAsync(Block.Size);
        input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        host.Loops!.SetRoom(0);
        await client.SendTextAsync("x");
        return (server, client, input.ReadAsync().AsTask());
    }

    private static IConnectionMemoryFeature Memory(ConnectionContext connection) => connection.Features.Get<IConnectionMemoryFeature>()!;

    private static long Occupied(ConnectionContext connection) => Memory(connection).BytesOccupied;

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var timeout = new CancellationTokenSource(TransportHost.Limit);
        while (!condition())
        {
            timeout.Token.ThrowIfCancellationRequested();
            await Task.Yield();
        }
    }

    /// <summary>An array of this size cannot be allocated, whatever memory is free.</summary>
    private static Block NoMemory(int size) => new(int.MaxValue);
}
