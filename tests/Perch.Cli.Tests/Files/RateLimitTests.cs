using System.Diagnostics;
using Perch.Cli.Files;

namespace Perch.Cli.Tests.Files;

public sealed class RateLimitTests
{
    [Fact]
    public async Task Take_MoreThanASecondHas_Waits()
    {
        var limit = new RateLimit(1_000_000, TimeProvider.System);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            for (var i = 0; i < 5; i++) await limit.TakeAsync(20_000, CancellationToken.None);
        }));

        // 20 pieces of 20 ms; the first goes at once.
        Assert.InRange(watch.ElapsedMilliseconds, 370, 20_000);
        Assert.Equal(100_000, limit.PieceBytes);
    }
}
