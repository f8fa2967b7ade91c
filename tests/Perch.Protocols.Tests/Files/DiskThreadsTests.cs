using Perch.Protocols.Files.Disk;

namespace Perch.Protocols.Tests.Files;

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
    public async Task RunAsync_InTime_IsNotLate()
    {
        using var threads = new DiskThreads(2, TimeSpan.FromMinutes(1), TimeProvider.System);
        var isLate = false;
        Assert.Equal(5, await threads.RunAsync(() => 5, _ => isLate = true));
        Assert.False(isLate);
    }
}
