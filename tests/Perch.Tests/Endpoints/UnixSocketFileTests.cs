using System.Diagnostics;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Perch.Endpoints;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Endpoints;

public sealed class UnixSocketFileTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Prepare_NothingThere_MakesTheFolder()
    {
        await PrepareAsync(_folder["run/here/e.sock"]);

        Assert.True(Directory.Exists(_folder["run/here"]));
        Assert.False(File.Exists(_folder["run/here/e.sock"]));
    }

    [Fact]
    public async Task Prepare_StaleSocket_IsRemoved()
    {
        var path = _folder["e.sock"];
        using (var killed = Bind(path))
        {
            // Bound and not listening: what a connect finds after a kill.
            await PrepareAsync(path);
        }

        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task Prepare_LiveSocket_IsRefusedAndStays()
    {
        var path = _folder["e.sock"];
        using var live = Bind(path);
        live.Listen();

        await Assert.ThrowsAsync<AddressInUseException>(() => PrepareAsync(path));
        Assert.True(File.Exists(path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("data")]
    public async Task Prepare_RegularFile_IsRefusedAndUntouched(string content)
    {
        var path = _folder["e.sock"];
        await File.WriteAllTextAsync(path, content);

        await Assert.ThrowsAsync<AddressInUseException>(() => PrepareAsync(path));
        Assert.Equal(content, await File.ReadAllTextAsync(path));
    }

    [Fact]
    public async Task Prepare_RegularFileThatSomebodyHasLocked_IsRefusedAndUntouched()
    {
        var path = _folder["data.db"];
        await using var locked = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);

        await Assert.ThrowsAsync<AddressInUseException>(() => PrepareAsync(path));
        Assert.True(File.Exists(path));
    }

    [Fact]
    public async Task Prepare_NamedPipe_IsRefusedAndStays()
    {
        if (!OperatingSystem.IsLinux()) return;
        var path = _folder["pipe"];
        using (var mkfifo = Process.Start("mkfifo", [path])) await mkfifo.WaitForExitAsync().Soon();
        Assert.True(File.Exists(path));

        await Assert.ThrowsAsync<AddressInUseException>(() => PrepareAsync(path));
        Assert.True(File.Exists(path));
    }

    private static Task PrepareAsync(string path) => Task.Run(() => UnixSocketFile.PrepareAsync(path, CancellationToken.None)).Soon();

    private static Socket Bind(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        return socket;
    }
}
