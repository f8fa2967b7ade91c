using System.Text;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class DiskListingTests : IDisposable
{
    /// <summary>Names whose order is not that of their folders' names, nor of their UTF-16.</summary>
    private static readonly string[] Names =
    [
        "a", "a b", "a-b", "a.b/c", "a0", "aa/a", "aa/b/c", "aa/b-c", "aa/b0", "aa/c", "b/\uE000", "b/😀", "b/\uFFFD", "b/é", "写/真", "写真", "z/z/z/z/z",
    ];

    private readonly FileFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(1000)]
    public async Task List_PageByPage_IsEveryNameOnceInTheOrderOfTheirBytes(int limit)
    {
        await using var store = await _folder.OpenAsync();
        foreach (var name in Names.Reverse()) await store.PutAsync(name, name);
        Directory.CreateDirectory(_folder.PathOf("empty/er"));
        var expected = Names.OrderBy(n => n, Comparer<string>.Create((x, y) => Encoding.UTF8.GetBytes(x).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(y)))).ToArray();
        var listed = new List<string>();
        while (await store.NamesAsync(after: listed.LastOrDefault() ?? "", limit: limit) is { Length: > 0 } page)
        {
            Assert.InRange(page.Length, 1, limit);
            listed.AddRange(page);
        }

        Assert.Equal(expected, listed);
        foreach (var prefix in (string[])["a", "aa", "aa/", "aa/b", "aa/b/", "b/", "写", "x", "a.b/c", "a.b/cd"])
            Assert.Equal(expected.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)), await store.NamesAsync(prefix));
        foreach (var after in (string[])["a", "a/", "aa", "aa/b", "aa/b/zzz", "b", "zz"])
            Assert.Equal(expected.Where(n => Encoding.UTF8.GetBytes(n).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(after)) > 0), await store.NamesAsync(after: after));
    }

    [Fact]
    public async Task List_BetweenPages_SeesWhatCameAndWent()
    {
        await using var store = await _folder.OpenAsync();
        foreach (var name in (string[])["a", "c", "e", "g"]) await store.PutAsync(name, "x");
        Assert.Equal(["a", "c"], await store.NamesAsync(limit: 2));
        await store.PutAsync("d", "x");
        await store.DeleteAsync("e");
        Assert.Equal(["d", "g"], await store.NamesAsync(after: "c", limit: 2));
        Assert.Equal(["a"], await store.NamesAsync(limit: 1));
        await store.DeleteAsync("c");
        Assert.Equal(["d"], await store.NamesAsync(after: "a", limit: 1));
        Assert.Equal(["g"], await store.NamesAsync(after: "d"));
        // Asked for twice, a page is the same twice.
        Assert.Equal(["g"], await store.NamesAsync(after: "d"));
        Assert.Empty(await store.NamesAsync(after: "g"));
    }

    [Fact]
    public async Task List_File_SaysWhatItIs()
    {
        await using var store = await _folder.OpenAsync();
        var file = await store.PutAsync("a", "text");
        await File.WriteAllTextAsync(_folder.PathOf("foreign"), "x");
        await store.LeaveAsync("half", "x"u8.ToArray(), 2);
        Assert.Equal(file, Assert.Single(await store.ListAsync("", "", 10, default)));
    }
}
