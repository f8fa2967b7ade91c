using Perch.Files.Disk;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class DiskThreadsTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task RunAsync_DiskHangs_TellsAndHandsOverWhatCameLate()
    {
        using var threads = new DiskThreads(1, TimeSpan.FromMilliseconds(100), TimeProvider.System);
        using var gate = new ManualResetEventSlim();
        var late = new TaskCompletionSource<string?>(TaskCreationOptions.RunContinuationsAsynchronously);
        var failure = await threads.RunAsync(
            () =>
            {
                gate.Wait();
                return "value";
            },
            late.SetResult).RefusedAsync("unavailable");
        Assert.True(failure.IsLate);
        Assert.Contains("DiskTimeout", failure.Message, StringComparison.Ordinal);
        gate.Set();
        Assert.Equal("value", await late.Task.WaitAsync(Soon));
        Assert.Equal(1, await threads.RunAsync(() => 1));
    }

    [Fact]
    public async Task RunAsync_NotBegunInTime_IsNotDoneLater()
    {
        using var threads = new DiskThreads(1, TimeSpan.FromMilliseconds(100), TimeProvider.System);
        using var gate = new ManualResetEventSlim();
        var isRun = false;
        var late = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await threads.RunAsync(gate.Wait).RefusedAsync("unavailable");
        await threads.RunAsync(() => isRun = true, (bool _) => late.SetResult()).RefusedAsync("unavailable");
        gate.Set();
        await late.Task.WaitAsync(Soon);
        Assert.False(isRun);
    }

    [Fact]
    public async Task Lane_StoreIsClosedMeanwhile_DoesWhatWasAskedBefore()
    {
        var threads = new DiskThreads(1, TimeSpan.Zero, TimeProvider.System);
        using var gate = new ManualResetEventSlim();
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var done = new List<long>();
        var lane = new DiskLane(threads, append =>
        {
            begun.TrySetResult();
            gate.Wait();
            done.Add(append.Bytes.Length);
        });
        var appends = Enumerable.Range(0, 3).Select(_ => new DiskAppend(lanes: 1)).ToList();
        var results = appends.Select((append, i) => append.Begin(new(new byte[i + 1])).AsTask()).ToList();
        appends.ForEach(append => lane.Add(append));
        await begun.Task.WaitAsync(Soon);
        var closing = Task.Run(threads.Dispose);
        await RefusesAsync(threads).WaitAsync(Soon);
        gate.Set();
        await Task.WhenAll(results).WaitAsync(Soon);
        await closing.WaitAsync(Soon);
        Assert.Equal([1, 2, 3], done);
    }

    [Fact]
    public async Task RunAsync_InTime_IsNotLate()
    {
        using var threads = new DiskThreads(2, TimeSpan.FromMinutes(1), TimeProvider.System);
        var isLate = false;
        Assert.Equal(5, await threads.RunAsync(() => 5, _ => isLate = true));
        Assert.False(isLate);
    }

    /// <summary>Waits until they are closed, and take nothing more.</summary>
    private static async Task RefusesAsync(DiskThreads threads)
    {
        try
        {
            while (true)
            {
                threads.Enqueue(new Nothing());
                await Task.Yield();
            }
        }
        catch (FileStoreException)
        {
            // They are.
        }
    }

    private sealed class Nothing : DiskWork
    {
        public override void Run()
        {
        }
    }
}
