using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Perch.Configuration;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

/// <summary>An upload whose end is a pause.</summary>
public sealed class UploadOnceTests
{
    private const string Done = "ファイルアップロード完了";
    private const string Once = """{ "Once": true }""";
    private const string More = "ERR more bytes came after the message had ended, and nothing is stored: "
        + "send it without a pause, or close your side after it\n";

    private readonly FakeTimeProvider _time = new();

    [Theory]
    [InlineData(1)]
    [InlineData(300_000)]
    [InlineData(5_000_000)]
    public async Task File_QuietTimeIsOver_IsStoredWholeAnsweredAndClosed(int length)
    {
        var bytes = FileFolder.Bytes(length);
        await using var host = await FileHost.StartAsync("upload", Once, time: _time);
        var peer = host.Connect();
        await peer.SendAsync(bytes);
        await peer.ReceivedAsync(length);
        var ended = await peer.PassUntilAsync(_time, peer.ExpectEndAsync(Done));
        Assert.Equal((ConnectionOutcome.Completed, 1), (ended.Outcome, ended.Messages));
        Assert.Equal(bytes, await host.Store.ReadAsync(Assert.Single(await host.Store.NamesAsync())));
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(300_000, false)]
    [InlineData(3_000_000, false)]
    [InlineData(100, true)]
    public async Task File_HalfClose_IsStoredWithoutAWait(int length, bool trickle)
    {
        var bytes = FileFolder.Bytes(length);
        await using var host = await FileHost.StartAsync("upload", Once, time: _time);
        var peer = host.Connect(trickle);
        await peer.SendAsync(bytes);
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync(Done)).Outcome);
        Assert.Equal(bytes, await host.Store.ReadAsync(Assert.Single(await host.Store.NamesAsync())));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(1000)]
    [InlineData(140_000)]
    [InlineData(299_999)]
    public async Task File_TwoPartsWithinTheQuietTime_IsOne(int cut)
    {
        var bytes = FileFolder.Bytes(300_000);
        await using var host = await FileHost.StartAsync("upload", Once, time: _time);
        var peer = host.Connect();
        await peer.SendAsync(bytes.AsMemory(0, cut));
        await peer.ReceivedAsync(cut);
        _time.Advance(TimeSpan.FromMilliseconds(50));
        await peer.SendAsync(bytes.AsMemory(cut));
        await peer.ReceivedAsync(bytes.Length);
        await peer.PassUntilAsync(_time, peer.ExpectEndAsync(Done));
        Assert.Equal(bytes, await host.Store.ReadAsync(Assert.Single(await host.Store.NamesAsync())));
    }

    [Fact]
    public async Task QuietTimeZero_FirstReceive_IsTheFile()
    {
        await using var host = await FileHost.StartAsync("upload", """{ "Once": true, "OnceQuietTime": "00:00:00" }""", time: _time);
        var peer = host.Connect();
        await peer.SendAsync("abc");
        Assert.Equal(ConnectionOutcome.Completed, (await peer.ExpectEndAsync(Done)).Outcome);
        Assert.Equal("abc", await host.Store.ReadTextAsync(Assert.Single(await host.Store.NamesAsync())));
    }

    [Fact]
    public async Task FurtherBytes_BeforeTheFileIsPublished_PublishNothing()
    {
        HeldFileStore? store = null;
        await using var host = await FileHost.StartAsync("upload", Once, time: _time, wrap: inner => store = new(inner));
        var peer = host.Connect();
        await peer.SendAsync("abc");
        await peer.PassUntilAsync(_time, store!.Append.EnteredAsync());
        await peer.SendAsync("def");
        store.Append.Release();
        await ExpectMoreAsync(host, peer);
        Assert.False(store.Complete.WasEntered);
    }

    [Fact]
    public async Task FurtherBytes_WhileTheFileIsPublished_TakeItBack()
    {
        HeldFileStore? store = null;
        await using var host = await FileHost.StartAsync("upload", Once, time: _time, wrap: inner => store = new(inner));
        store!.Append.Release();
        var peer = host.Connect();
        await peer.SendAsync("abc");
        await peer.PassUntilAsync(_time, store.Complete.EnteredAsync());
        Assert.Equal(1, host.Store.Totals.Files);
        await peer.SendAsync("def");
        store.Complete.Release();
        await ExpectMoreAsync(host, peer);
    }

    [Fact]
    public async Task FurtherBytes_AfterTheAnswer_AreLoggedOnce()
    {
        await using var host = await FileHost.StartAsync("upload", Once, time: _time);
        var peer = host.Connect();
        await peer.SendAsync("abc");
        await peer.PassToTheAnswerAsync(_time);
        await peer.ExpectAsync(Done);
        await peer.SendAsync("def");
        await peer.ReceivedAsync(6);
        await peer.SendAsync("ghi");
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.Completed, (await peer.EndedAsync()).Outcome);
        Assert.Equal("abc", await host.Store.ReadTextAsync(Assert.Single(await host.Store.NamesAsync())));
        Assert.Equal(LogLevel.Warning, Assert.Single(host.Logged("FileBytesDropped")).Level);
    }

    [Fact]
    public async Task Quota_PeerGoesOnSending_ReadsTheAnswer()
    {
        await using var host = await FileHost.StartAsync("upload", Once, store: """, "MaxFileBytes": 10""", time: _time);
        var (longest, longer) = (host.Connect(), host.Connect());
        await longest.SendAsync(new byte[10]);
        longest.EndInput();
        await longest.ExpectEndAsync(Done);
        await longer.SendAsync(new byte[11]);
        await longer.SendAsync(new byte[1_000_000]);
        await longer.PassUntilAsync(_time, longer.ExpectEndAsync("ERR quota a file has at most 10 bytes\n"));
        Assert.Equal((1, 10), (host.Store.Totals.Files, host.Store.Totals.Bytes));
        Assert.Empty(host.Logged("FileBytesDropped"));
    }

    [Fact]
    public async Task Drain_IdleAndInHand_EndsTheOneAndFinishesTheOther()
    {
        await using var host = await FileHost.StartAsync("upload", Once, time: _time);
        var (idle, busy) = (host.Connect(), host.Connect());
        await busy.SendAsync("abc");
        await busy.ReceivedAsync(3);
        idle.Connection.RequestClose();
        busy.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await idle.ExpectEndAsync()).Outcome);
        await busy.SendAsync("def");
        await busy.ReceivedAsync(6);
        Assert.Equal(ConnectionOutcome.Completed, (await busy.PassUntilAsync(_time, busy.ExpectEndAsync(Done))).Outcome);
        Assert.Equal("abcdef", await host.Store.ReadTextAsync(Assert.Single(await host.Store.NamesAsync())));
    }

    [Theory]
    [InlineData("""{ "Once": true, "OnceQuietTime": "-00:00:01" }""")]
    [InlineData("""{ "Once": true, "OnceQuietTime": "02:00:00" }""")]
    public void OnceQuietTime_OutOfBounds_IsAFault(string options)
    {
        var exception = Assert.Throws<PerchConfigurationException>(() => new ProtocolHost("upload", options));
        Assert.Contains("OnceQuietTime", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OnceQuietTime_Default_Is100Milliseconds() =>
        Assert.Equal(TimeSpan.FromMilliseconds(100), new UploadOptions().OnceQuietTime);

    private async Task ExpectMoreAsync(FileHost host, Peer peer)
    {
        var ended = await peer.PassUntilAsync(_time, peer.ExpectEndAsync(More));
        Assert.Equal((ConnectionOutcome.ProtocolViolation, 0), (ended.Outcome, ended.Messages));
        Assert.Equal(new(0, 0, 0), host.Store.Totals);
        Assert.Empty(await host.Store.NamesAsync());
        Assert.Equal("more", Assert.Single(host.Logged("FileUploadRefused")).GetStructuredStateValue("Code"));
        Assert.Empty(host.Logged("FileUploaded"));
    }
}
