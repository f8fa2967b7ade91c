using System.Buffers;
using System.IO.Pipelines;
using Perch.Connections;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

public sealed class ByteCountTests
{
    private readonly Pipe _pipe = new(new PipeOptions(minimumSegmentSize: 16));
    private readonly CountedProgress _progress = new();

    [Fact]
    public async Task Serve_WhateverTheHandlerDoes_TransportIsRestored()
    {
        foreach (var fails in new[] { false, true })
        {
            using var pipeline = new TestPipeline();
            var connection = new InMemoryConnection();
            var own = connection.Transport;
            await pipeline.ServeAsync(
                c =>
                {
                    Assert.NotSame(own, c.Transport);
                    return fails ? throw new InvalidOperationException() : Task.CompletedTask;
                },
                connection).Soon();

            Assert.Same(own, connection.Transport);
        }
    }

    [Fact]
    public async Task Read_PartlyConsumed_CountsEachByteOnce()
    {
        var reader = new CountingPipeReader(_pipe.Reader, _progress);
        await _pipe.Writer.WriteAsync(new byte[10]);
        var read = await reader.ReadAsync();
        Assert.Equal(10, _progress.BytesReceived);

        reader.AdvanceTo(read.Buffer.GetPosition(4), read.Buffer.End);
        await _pipe.Writer.WriteAsync(new byte[50]);
        read = await reader.ReadAsync();
        Assert.Equal((56, 60), (read.Buffer.Length, _progress.BytesReceived));

        reader.AdvanceTo(read.Buffer.GetPosition(30));
        Assert.True(reader.TryRead(out read));
        Assert.Equal((26, 60), (read.Buffer.Length, _progress.BytesReceived));

        reader.AdvanceTo(read.Buffer.Start, read.Buffer.Start);
        reader.AdvanceTo((await reader.ReadAsync()).Buffer.End);
        Assert.False(reader.TryRead(out _));
        Assert.Equal(60, _progress.BytesReceived);
    }

    [Fact]
    public async Task Read_WaitsOrIsCancelled_IsPendingUntilThenAndCountsNothingTwice()
    {
        var reader = new CountingPipeReader(_pipe.Reader, _progress);
        await _pipe.Writer.WriteAsync(new byte[3]);
        var read = await reader.ReadAsync();
        reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);

        var waiting = reader.ReadAsync().AsTask();
        Assert.True(_progress.IsReadPending);
        reader.CancelPendingRead();
        read = await waiting.Soon();
        Assert.Equal((true, false, 3), (read.IsCanceled, _progress.IsReadPending, _progress.BytesReceived));
        reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);

        var least = reader.ReadAtLeastAsync(5).AsTask();
        await _pipe.Writer.WriteAsync(new byte[1]);
        await _pipe.Writer.WriteAsync(new byte[1]);
        Assert.Equal(5, (await least.Soon()).Buffer.Length);
        Assert.Equal((false, 5), (_progress.IsReadPending, _progress.BytesReceived));
    }

    [Fact]
    public async Task Read_EndOfStream_IsNoted()
    {
        var reader = new CountingPipeReader(_pipe.Reader, _progress);
        await _pipe.Writer.WriteAsync(new byte[3]);
        reader.AdvanceTo((await reader.ReadAsync()).Buffer.End);
        Assert.False(_progress.HasPeerEnded);
        await _pipe.Writer.CompleteAsync();
        await reader.ReadAsync();

        Assert.True(_progress.HasPeerEnded);
    }

    [Fact]
    public async Task Write_EveryWay_CountsWhatWasWritten()
    {
        var writer = new CountingPipeWriter(_pipe.Writer, _progress);
        writer.GetSpan(100)[0] = 1;
        writer.Advance(3);
        Assert.Equal((3, 3), (writer.UnflushedBytes, _progress.BytesSent));
        _ = writer.GetMemory(8);
        writer.Advance(2);
        writer.Write(new byte[100]);
        await writer.WriteAsync(new byte[7]);
        await writer.AsStream().WriteAsync(new byte[5]);
        await writer.FlushAsync();

        Assert.Equal(117, _progress.BytesSent);
        Assert.Equal(117, (await _pipe.Reader.ReadAsync()).Buffer.Length);
    }

    [Fact]
    public async Task Flush_Waits_IsOddUntilThenAndHasANumberOfItsOwn()
    {
        var pipe = new Pipe(new PipeOptions(pauseWriterThreshold: 4, resumeWriterThreshold: 1));
        var writer = new CountingPipeWriter(pipe.Writer, _progress);
        await writer.WriteAsync(new byte[1]);
        Assert.Equal(0, _progress.FlushWaits);

        foreach (var (waiting, after) in new[] { (1, 2), (3, 4) })
        {
            var flush = writer.WriteAsync(new byte[8]).AsTask();
            Assert.Equal(waiting, _progress.FlushWaits);
            pipe.Reader.AdvanceTo((await pipe.Reader.ReadAsync()).Buffer.End);
            Assert.False((await flush.Soon()).IsCompleted);
            Assert.Equal(after, _progress.FlushWaits);
        }

        Assert.False(_progress.HasPeerLeft);
        await pipe.Reader.CompleteAsync();
        await writer.WriteAsync(new byte[8]);
        Assert.True(_progress.HasPeerLeft);
    }
}
