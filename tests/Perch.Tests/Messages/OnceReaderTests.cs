using System.Text;
using Perch.Tests.Shared;
using Perch.Transport;

namespace Perch.Tests.Messages;

public sealed class OnceReaderTests
{
    private const string Message = "データ送信: ten parts or one, it is the same message";

    private static readonly byte[] Bytes = Encoding.UTF8.GetBytes(Message);

    public static TheoryData<int, int> SplitsAndGaps()
    {
        var data = new TheoryData<int, int>();
        for (var split = 1; split < Bytes.Length; split++)
        {
            foreach (var gap in (int[])[0, 1, 50, 99])
                data.Add(split, gap);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(SplitsAndGaps))]
    public async Task Read_TwoPartsWithinTheQuietTime_AreOneMessage(int split, int gap)
    {
        using var scene = new OnceScene();
        var reading = scene.ReadMessageAsync();
        await scene.Connection.SendAsync(Bytes.AsMemory(0, split));
        scene.Pass(gap);
        await scene.Connection.SendAsync(Bytes.AsMemory(split));
        scene.Pass(99);
        Assert.False(reading.IsCompleted);
        // The quiet time, and up to a step of the timer wheel.
        scene.Pass(11);
        Assert.Equal(Message, await reading.Soon());
        Assert.False(scene.Reader.HasPeerEnded);
    }

    [Fact]
    public async Task Read_ByteByByte_IsOneMessage()
    {
        using var scene = new OnceScene();
        var reading = scene.ReadMessageAsync();
        foreach (var part in Bytes)
        {
            await scene.Connection.SendAsync(new[] { part });
            scene.Pass(90);
        }

        Assert.False(reading.IsCompleted);
        scene.Pass(20);
        Assert.Equal(Message, await reading.Soon());
    }

    [Fact]
    public async Task Read_HalfClose_EndsTheMessageWithoutAWait()
    {
        using var scene = new OnceScene();
        var reading = scene.ReadMessageAsync();
        await scene.Connection.SendAsync(Message);
        Assert.False(reading.IsCompleted);
        scene.Connection.EndInput();
        Assert.Equal(Message, await reading.Soon());
        Assert.True(scene.Reader.HasPeerEnded);
        Assert.False(scene.Reader.DropFurtherBytes());
    }

    [Fact]
    public async Task Read_QuietTimeZero_EndsWithTheFirstReceive()
    {
        using var scene = new OnceScene(quietMilliseconds: 0);
        var reading = scene.ReadMessageAsync();
        scene.Pass(60_000);
        Assert.False(reading.IsCompleted);
        await scene.Connection.SendAsync("first");
        Assert.Equal("first", await reading.Soon());
    }

    [Fact]
    public void Read_NoByte_HasNoQuietTime()
    {
        using var scene = new OnceScene();
        var reading = scene.ReadMessageAsync();
        scene.Pass(600_000);
        Assert.False(reading.IsCompleted);
    }

    [Fact]
    public async Task Read_CancelledByOthers_IsReportedAndDoesNotProlongTheMessage()
    {
        using var scene = new OnceScene();
        await scene.Connection.SendAsync("abc");
        var (reads, cancelled) = (0, 0);
        for (; ; reads++)
        {
            var reading = scene.Reader.ReadAsync().AsTask();
            if (!reading.IsCompleted)
            {
                scene.Pass(40);
                scene.Reader.CancelPendingRead();
            }

            var read = await reading.Soon();
            cancelled += read.IsCanceled ? 1 : 0;
            scene.Reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted)
                break;
        }

        Assert.Equal((3, 2), (reads, cancelled));
    }

    [Fact]
    public async Task Read_TimerIsEarly_GoesOnWithoutTheCaller()
    {
        using var scene = new OnceScene();
        await scene.Connection.SendAsync("abc");
        var first = await scene.Reader.ReadAsync().AsTask().Soon();
        scene.Reader.AdvanceTo(first.Buffer.Start, first.Buffer.End);
        var second = scene.Reader.ReadAsync().AsTask();
        scene.Pass(50);
        await scene.Connection.SendAsync("def");
        var read = await second.Soon();
        Assert.Equal("abcdef", Encoding.UTF8.GetString(read.Buffer));
        scene.Reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        var third = scene.Reader.ReadAsync().AsTask();
        // The timer of the second read is due here.
        scene.Pass(90);
        Assert.False(third.IsCompleted);
        scene.Pass(20);
        Assert.True((await third.Soon()).IsCompleted);
    }

    [Fact]
    public async Task Read_StoreTakesItsTime_ThatTimeIsNotQuiet()
    {
        using var scene = new OnceScene();
        await scene.Connection.SendAsync("abc");
        var first = await scene.Reader.ReadAsync().AsTask().Soon();
        scene.Reader.AdvanceTo(first.Buffer.Start, first.Buffer.End);
        var waiting = scene.Reader.ReadAsync().AsTask();
        scene.Pass(60);
        scene.Reader.CancelPendingRead();
        var read = await waiting.Soon();
        scene.Pass(5000);
        scene.Reader.AdvanceTo(read.Buffer.End);
        var next = scene.Reader.ReadAsync().AsTask();
        scene.Pass(99);
        Assert.False(next.IsCompleted);
        scene.Pass(11);
        Assert.True((await next.Soon()).IsCompleted);
    }

    [Fact]
    public async Task DropFurtherBytes_AfterTheMessage_SeesWhatHasCome()
    {
        using var scene = new OnceScene();
        var reading = scene.ReadMessageAsync();
        await scene.Connection.SendAsync("abc");
        scene.Pass(110);
        await reading.Soon();
        Assert.False(scene.Reader.DropFurtherBytes());
        // A cancellation that came late is no byte.
        scene.Reader.CancelPendingRead();
        Assert.False(scene.Reader.DropFurtherBytes());
        await scene.Connection.SendAsync("d");
        Assert.True(scene.Reader.DropFurtherBytes());
        Assert.False(scene.Reader.DropFurtherBytes());
        scene.Connection.EndInput();
        Assert.False(scene.Reader.DropFurtherBytes());
        Assert.True(scene.Reader.HasPeerEnded);
    }

    [Theory]
    [InlineData(false, 100)]
    [InlineData(true, 1000)]
    public async Task DropToEnd_SilentPeer_EndsAfterItsTime(bool halfCloses, int milliseconds)
    {
        using var scene = new OnceScene();
        if (halfCloses)
            scene.Connection.Features.Set<IConnectionProgressFeature>(new NoProgress());
        await AnswerAsync(scene);
        var late = 0;
        var dropping = scene.Reader.DropToEndAsync(() => late++, CancellationToken.None);
        var peerSeesTheEnd = scene.Connection.ReceiveToEndAsync();
        Assert.Equal(halfCloses, peerSeesTheEnd.IsCompleted);
        scene.Pass(milliseconds - 1);
        Assert.False(dropping.IsCompleted);
        scene.Pass(11);
        await dropping.Soon();
        Assert.Equal(0, late);
    }

    [Fact]
    public async Task DropToEnd_BytesCome_AreReportedOnceAndReadToTheEnd()
    {
        using var scene = new OnceScene();
        await AnswerAsync(scene);
        var late = 0;
        var dropping = scene.Reader.DropToEndAsync(() => late++, CancellationToken.None);
        for (var i = 0; i < 5; i++)
        {
            await scene.Connection.SendAsync("late");
            scene.Pass(90);
        }

        Assert.False(dropping.IsCompleted);
        Assert.Equal(1, late);
        scene.Connection.EndInput();
        await dropping.Soon();
        Assert.Equal(1, late);
    }

    [Fact]
    public async Task DropToEnd_Drain_EndsAtOnce()
    {
        using var scene = new OnceScene();
        await AnswerAsync(scene);
        using var drain = new CancellationTokenSource();
        await using var registration = drain.Token.UnsafeRegister(_ => scene.Reader.CancelPendingRead(), null);
        var dropping = scene.Reader.DropToEndAsync(() => { }, drain.Token);
        Assert.False(dropping.IsCompleted);
        await drain.CancelAsync();
        await dropping.Soon();
    }

    [Fact]
    public async Task Dispose_WithinAMessage_LeavesNoTimer()
    {
        using var scene = new OnceScene();
        var reading = scene.ReadMessageAsync();
        await scene.Connection.SendAsync("abc");
        scene.Reader.Dispose();
        scene.Pass(1000);
        Assert.False(reading.IsCompleted);
    }

    private static async Task AnswerAsync(OnceScene scene)
    {
        var reading = scene.ReadMessageAsync();
        await scene.Connection.SendAsync("abc");
        scene.Pass(110);
        await reading.Soon();
    }

    private sealed class NoProgress : IConnectionProgressFeature
    {
        public long BytesReceived => 0;

        public long BytesSent => 0;

        public bool IsReadPending => false;

        public int FlushWaits => 0;

        public bool HasPeerEnded => false;

        public bool HasPeerLeft => false;
    }
}
