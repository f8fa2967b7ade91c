using Perch.Tests.Shared;

namespace Perch.Files.Tests;

/// <summary>Links and other things that somebody planted in the store's folder lead nowhere.</summary>
public sealed class DiskLinkTests : IDisposable
{
    private readonly FileFolder _folder = new();
    private readonly FileFolder _outside = new();

    public void Dispose()
    {
        _folder.Dispose();
        _outside.Dispose();
    }

    [Fact]
    public async Task Link_ToAFileOutside_IsNotReadAndIsReplacedItself()
    {
        await File.WriteAllTextAsync(_outside.PathOf("secret"), "secret");
        await using var store = await _folder.OpenAsync();
        File.CreateSymbolicLink(_folder.PathOf("a"), _outside.PathOf("secret"));
        await AssertUnreachableAsync(store, "a");
        await store.PutAsync("a", "mine");
        Assert.Equal("mine", await store.ReadTextAsync("a"));
        Assert.Equal("secret", await File.ReadAllTextAsync(_outside.PathOf("secret")));
        Assert.Null(new FileInfo(_folder.PathOf("a")).LinkTarget);
    }

    [Fact]
    public async Task Link_InThePlaceOfAStoredFile_IsNotRead()
    {
        await File.WriteAllTextAsync(_outside.PathOf("secret"), "text");
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a", "text");
        File.Delete(_folder.PathOf("a"));
        File.CreateSymbolicLink(_folder.PathOf("a"), _outside.PathOf("secret"));
        await AssertUnreachableAsync(store, "a");
    }

    [Theory]
    [InlineData("out")]
    [InlineData("a/out")]
    public async Task Link_ToAFolderOutside_IsNotWalked(string link)
    {
        await using (var outside = await _outside.OpenAsync()) await outside.PutAsync("file", "secret");
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a/b", "x");
        Directory.CreateSymbolicLink(_folder.PathOf(link), _outside.Root);
        await AssertUnreachableAsync(store, $"{link}/file");
        await store.PutAsync($"{link}/new", "x").RefusedAsync("conflict");
        Assert.False(File.Exists(_outside.PathOf("new")));
        Assert.Equal("secret", await File.ReadAllTextAsync(_outside.PathOf("file")));
    }

    [Fact]
    public async Task Link_ThatTakesTheFoldersPlaceDuringTheUpload_IsNotWalked()
    {
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a/b", "x");
        await using var upload = await store.BeginAsync(new(FileFolder.Name("a/c")) { Length = 1 }, default);
        await upload.AppendAsync(new("y"u8.ToArray()));
        Directory.Move(_folder.PathOf("a"), _folder.PathOf("moved"));
        Directory.CreateSymbolicLink(_folder.PathOf("a"), _outside.Root);
        await upload.CompleteAsync().RefusedAsync("conflict");
        Assert.False(File.Exists(_outside.PathOf("c")));
    }

    [Fact]
    public async Task Link_BackIntoTheStoreItself_IsNotWalked()
    {
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a", "x");
        Directory.CreateSymbolicLink(_folder.PathOf("own"), _folder.PathOf(".perch"));
        Directory.CreateSymbolicLink(_folder.PathOf("loop"), _folder.Root);
        await AssertUnreachableAsync(store, "own/lock");
        await AssertUnreachableAsync(store, "loop/a");
        Assert.Equal(["a"], await store.NamesAsync());
    }

    [Fact]
    public async Task PipeAndFolder_InThePlaceOfAFile_DoNotHoldAReader()
    {
        await using var store = await _folder.OpenAsync();
        foreach (var name in (string[])["pipe", "folder"]) await store.PutAsync(name, "x");
        foreach (var name in (string[])["pipe", "folder"]) File.Delete(_folder.PathOf(name));
        Directory.CreateDirectory(_folder.PathOf("folder"));
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", [_folder.PathOf("pipe")])) await mkfifo.WaitForExitAsync();
        await AssertUnreachableAsync(store, "pipe");
        await AssertUnreachableAsync(store, "folder");
    }

    [Fact]
    public async Task HardLink_ToAFileOutside_IsNoFileOfTheStore()
    {
        await File.WriteAllTextAsync(_outside.PathOf("secret"), "secret");
        await using var store = await _folder.OpenAsync();
        using (var ln = System.Diagnostics.Process.Start("ln", [_outside.PathOf("secret"), _folder.PathOf("a")])) await ln.WaitForExitAsync();
        await AssertUnreachableAsync(store, "a");
        await store.PutAsync("a", "mine");
        Assert.Equal("secret", await File.ReadAllTextAsync(_outside.PathOf("secret")));
    }

    [Fact]
    public async Task Case_NamesThatDifferInIt_AreDifferentFiles()
    {
        await using var store = await _folder.OpenAsync();
        await store.PutAsync("a/readme", "small");
        await store.PutAsync("A/README", "CAPITAL");
        Assert.Equal(("small", "CAPITAL"), (await store.ReadTextAsync("a/readme"), await store.ReadTextAsync("A/README")));
        Assert.Null(await store.ReadAsync("a/README"));
        Assert.Equal(["A/README", "a/readme"], await store.NamesAsync());
    }

    private static async Task AssertUnreachableAsync(IFileStore store, string name)
    {
        Assert.Null(await store.ReadAsync(name));
        Assert.Equal(new(null, 0), await store.StatAsync(name));
        Assert.False(await store.DeleteAsync(name));
        Assert.DoesNotContain(name, await store.NamesAsync());
    }
}
