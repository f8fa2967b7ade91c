using System.Text;
using System.Text.RegularExpressions;
using Perch.Configuration;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class UploadProtocolTests
{
    private const string Done = "ファイルアップロード完了";

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, false)]
    [InlineData(100, true)]
    [InlineData(3_000_000, false)]
    public async Task Upload_ToTheHalfClose_IsOneFile(int length, bool trickle)
    {
        var bytes = FileFolder.Bytes(length);
        await using var host = await FileHost.StartAsync("upload");
        var peer = host.Connect(trickle);
        await peer.SendAsync(bytes);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync(Done);
        Assert.Equal((ConnectionOutcome.Completed, 1), (ended.Outcome, ended.Messages));
        var name = Assert.Single(await host.Store.NamesAsync());
        Assert.Matches(new Regex(@"^uploads/\d{8}T\d{6}\.\d{6}Z-[0-9a-f]{8}$", RegexOptions.None, TimeSpan.FromSeconds(1)), name);
        Assert.Equal(bytes, await host.Store.ReadAsync(name));
        var file = (await host.Store.StatAsync(name)).File!;
        Assert.Equal(("test", "127.0.0.1:50000"), (file.Endpoint, file.Remote));
    }

    [Fact]
    public async Task Upload_NameInTheAnswerAndFolder_AreTheOperators()
    {
        await using var host = await FileHost.StartAsync("upload", """{ "Ack": "OK {name}\n", "Folder": "in/写真" }""");
        var peer = host.Connect();
        await peer.SendAsync("x");
        peer.EndInput();
        var answer = Encoding.UTF8.GetString(await peer.ReceiveToEndAsync());
        Assert.Equal($"OK {Assert.Single(await host.Store.NamesAsync("in/写真/"))}\n", answer);
    }

    [Fact]
    public async Task Upload_OfNothingWhereThatIsNotAllowed_IsNoFile()
    {
        await using var host = await FileHost.StartAsync("upload", """{ "AllowEmpty": false }""");
        var peer = host.Connect();
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        Assert.Empty(await (await host.Files.GetAsync()).NamesAsync());
    }

    [Fact]
    public async Task Upload_Reset_LeavesNothing()
    {
        await using var host = await FileHost.StartAsync("upload");
        var peer = host.Connect();
        await peer.SendAsync("abc");
        await Bounded.UntilAsync(() => host.Store.Totals.Bytes == 3);
        peer.Connection.Reset();
        Assert.Equal(ConnectionOutcome.PeerReset, (await peer.EndedAsync()).Outcome);
        Assert.Equal(new(0, 0, 0), host.Store.Totals);
        Assert.Empty(host.Folder.Own("uploads"));
    }

    [Fact]
    public async Task Upload_OverTheQuota_IsToldAndLeavesNothing()
    {
        await using var host = await FileHost.StartAsync("upload", store: """, "MaxFileBytes": 10""");
        var peer = host.Connect();
        await peer.SendAsync(new byte[11]);
        await peer.ExpectAsync("ERR quota a file has at most 10 bytes\n");
        await peer.SendAsync(new byte[100_000]);
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        Assert.Equal(new(0, 0, 0), host.Store.Totals);
    }

    [Fact]
    public async Task Drain_BeforeTheFirstByteAndWithin_EndsTheOneAndFinishesTheOther()
    {
        await using var host = await FileHost.StartAsync("upload");
        var (idle, busy) = (host.Connect(), host.Connect());
        await busy.SendAsync("abc");
        await Bounded.UntilAsync(() => host.Store.Totals.Bytes == 3);
        idle.Connection.RequestClose();
        busy.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await idle.ExpectEndAsync()).Outcome);
        await busy.SendAsync("def");
        busy.EndInput();
        Assert.Equal(ConnectionOutcome.Completed, (await busy.ExpectEndAsync(Done)).Outcome);
        Assert.Equal("abcdef", await host.Store.ReadTextAsync(Assert.Single(await host.Store.NamesAsync())));
    }

    [Theory]
    [InlineData("""{ "Folder": "../out" }""", "begins with a dot")]
    [InlineData("""{ "Folder": "/out" }""", "empty segment")]
    public void Folder_ThatIsNone_IsAFault(string options, string fault)
    {
        var exception = Assert.Throws<PerchConfigurationException>(() => new ProtocolHost("upload", options));
        Assert.Contains(fault, exception.Message, StringComparison.Ordinal);
    }
}
