using System.Globalization;
using Perch.Files.Disk;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

/// <summary>The counters of a disk store equal what a scan of its folder finds. <c>PERCH_COUNTED_UPLOADS</c> sets the number of uploads (default 2,000).</summary>
public sealed class DiskCounterTests : IDisposable
{
    private const int Writers = 8;
    private const int Names = 5;
    private static readonly int Uploads = int.Parse(Environment.GetEnvironmentVariable("PERCH_COUNTED_UPLOADS") ?? "2000", CultureInfo.InvariantCulture);

    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Writers_OfTheSameNamesWithDeletes_CountersEqualAScan()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 1L << 40, MaxFiles = 1000 });
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(store, new Random(writer)))));

        Assert.Equal(Scan(), store.Totals);
        for (var name = 0; name < Names; name++) await store.DeleteAsync($"n{name}");
        Assert.Equal(new(0, 0, 0), store.Totals);
        Assert.Empty(_folder.Own("uploads"));
    }

    [Fact]
    public async Task Counters_AnotherProgramChangesTheFolder_AreAFaultUntilTheyAreCountedAgain()
    {
        await using var store = await _folder.OpenAsync(new() { MinFreeBytes = 0, MaxBytes = 10_000 });
        await store.PutAsync("a", new byte[10]);
        await store.PutAsync("b", new byte[20]);
        await File.WriteAllBytesAsync(_folder.PathOf("a"), new byte[1000]);
        await store.PutAsync("a", new byte[5]);
        Assert.Contains("counters are impossible", store.Totals.Fault, StringComparison.Ordinal);
        await store.PutAsync("c", new byte[1]);

        await store.ProbeAsync(default);
        Assert.Equal(Scan(), store.Totals);
        Assert.Equal(new(3, 26, 0), store.Totals);
    }

    [Fact]
    public async Task Readiness_CountersAreImpossible_IsRedUntilTheyAreCountedAgain()
    {
        await using var host = await FileHost.StartAsync();
        await host.Store.PutAsync("a", new byte[10]);
        await File.WriteAllBytesAsync(host.Folder.PathOf("a"), new byte[1000]);
        await host.Store.PutAsync("a", new byte[5]);
        Assert.Contains("counters are impossible", host.Files.Problem, StringComparison.Ordinal);
        await Bounded.UntilAsync(() => host.Files.Problem is null);
        Assert.Equal(new(1, 5, 0), host.Store.Totals);
        Assert.Single(host.Logged("FileStoreRecounted"));
    }

    private static async Task WriteAsync(DiskFileStore store, Random random)
    {
        for (var i = 0; i < Uploads / Writers; i++)
        {
            var name = $"n{random.Next(Names)}";
            try
            {
                switch (random.Next(8))
                {
                    case 0:
                        await store.DeleteAsync(name);
                        break;
                    case 1:
                        await store.LeaveAsync(name, new byte[1 + random.Next(1000)], 2000);
                        break;
                    case 2:
                        await using (var aborted = await store.BeginAsync(new(FileFolder.Name(name)) { Length = 10 }, default)) await aborted.AbortAsync();
                        break;
                    case 3:
                        if ((await store.StatAsync(name)).Partial is var offset and > 0) await store.LeaveAsync(name, new byte[10], 4000, offset);
                        break;
                    default:
                        await store.PutAsync(name, new byte[random.Next(3000)]);
                        break;
                }
            }
            catch (FileStoreException exception) when (exception.Code is "superseded" or "offset")
            {
                // Another writer has taken the upload over.
            }
        }
    }

    private FileTotals Scan()
    {
        var (files, uploads) = (Directory.GetFiles(_folder.Root), _folder.Own("uploads"));
        return new(files.Length, files.Concat(uploads).Sum(path => new FileInfo(path).Length), uploads.Length);
    }
}
