using System.Text;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class FilesProtocolTests
{
    private static readonly string EmptyHash = FileFolder.Hash([]);
    private static readonly string AbcHash = FileFolder.Hash("abc"u8);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Commands_PipelinedInOneBurst_AreAnsweredInOrder(bool trickle)
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect(trickle);
        await peer.SendAsync("PUT 写 真/a 3\nabcPUT b 0\r\n\nGET 写 真/a\nGET 写 真/a offset=1 length=1\nGET b\nDELETE b\nDELETE b\nLIST\nQUIT\nLIST\n");
        var modified = await ModifiedAsync(host, "写 真/a");
        var ended = await peer.ExpectEndAsync(
            $"OK 3 sha256={AbcHash}\nOK 0 sha256={EmptyHash}\nOK 3 sha256={AbcHash} total=3\nabcOK 1 sha256={AbcHash} total=3\nbOK 0 sha256={EmptyHash} total=0\n"
            + $"OK\nERR not-found there is no file of this name\nOK 1\n3 {AbcHash} {modified} 写 真/a\nOK\n");
        Assert.Equal((ConnectionOutcome.Completed, 8), (ended.Outcome, ended.Messages));
    }

    [Fact]
    public async Task Stat_WholeUnfinishedBothAndNeither_SaysWhatThereIs()
    {
        await using var host = await FileHost.StartAsync();
        await host.Store.PutAsync("whole", "abc");
        await host.Store.LeaveAsync("half", "ab"u8.ToArray(), 3);
        await host.Store.PutAsync("both", "abc");
        await host.Store.LeaveAsync("both", "a"u8.ToArray(), 3);
        var peer = host.Connect();
        await peer.SendAsync("STAT whole\nSTAT half\nSTAT both\nSTAT none\n");
        await peer.ExpectAsync($"OK 3 sha256={AbcHash} modified={await ModifiedAsync(host, "whole")}\nOK partial=2\n"
            + $"OK 3 sha256={AbcHash} modified={await ModifiedAsync(host, "both")} partial=1\nERR not-found there is no file of this name\n");
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
    }

    [Theory]
    [InlineData("PUT ../a 3\nabc", "ERR name no segment of a name begins with a dot")]
    [InlineData("PUT /etc/passwd 3\nabc", "ERR name a name has no empty segment, and no slash at its begin or end")]
    [InlineData("PUT a\\b 3\nabc", "ERR name a name has no backslash")]
    [InlineData("PUT a\0 3\nabc", "ERR name a name has no control characters")]
    [InlineData("PUT .perch/lock 3\nabc", "ERR name no segment of a name begins with a dot")]
    [InlineData("PUT a 4 offset=1\nabc", "ERR offset there is no unfinished upload of this name: it was dropped, or never begun. Begin at 0")]
    [InlineData("PUT there/x 3\nabc", "ERR conflict a file has the name of one of its folders")]
    [InlineData("PUT big 11\nabcabcabcab", "ERR quota a file has at most 10 bytes")]
    [InlineData("GET ..\n", "ERR name no segment of a name begins with a dot")]
    [InlineData("GET none\n", "ERR not-found there is no file of this name")]
    [InlineData("GET there/x\n", "ERR not-found there is no file of this name")]
    [InlineData("GET there offset=4\n", "ERR range the file has 3 bytes")]
    [InlineData("LIST ../\n", "ERR name no segment of a name begins with a dot")]
    public async Task Refusal_OfAnUnderstoodCommand_IsToldAndTheDialogueGoesOn(string command, string answer)
    {
        await using var host = await FileHost.StartAsync(store: """, "MaxFileBytes": 10""");
        await host.Store.PutAsync("there", "abc");
        var peer = host.Connect();
        await peer.SendAsync($"{command}\nLIST limit=1\n");
        await peer.ExpectAsync($"{answer}\nOK 1\n3 {AbcHash} {await ModifiedAsync(host, "there")} there\n");
        peer.EndInput();
        Assert.Equal(ConnectionOutcome.PeerClosed, (await peer.ExpectEndAsync()).Outcome);
        Assert.Empty(host.Folder.Own("uploads"));
    }

    [Theory]
    [InlineData("PUT a -3\nabcDELETE there\n", "malformed")]
    [InlineData("PUT a 9223372036854775808\nabcDELETE there\n", "malformed")]
    [InlineData("hello\nDELETE there\n", "malformed")]
    [InlineData("\u0001\u0002\nDELETE there\n", "malformed")]
    public async Task Violation_NotUnderstood_EndsTheConnectionAndNothingBehindItIsDone(string text, string code)
    {
        await using var host = await FileHost.StartAsync();
        await host.Store.PutAsync("there", "abc");
        var peer = host.Connect();
        await peer.SendAsync(text);
        var answer = Encoding.UTF8.GetString(await peer.ReceiveToEndAsync());
        Assert.StartsWith($"ERR {code} ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\n", answer, StringComparison.Ordinal);
        Assert.Equal(ConnectionOutcome.ProtocolViolation, (await peer.EndedAsync()).Outcome);
        Assert.Equal(["there"], await host.Store.NamesAsync());
    }

    [Fact]
    public async Task Put_LengthTooShort_TheRestIsNotTakenForCommands()
    {
        await using var host = await FileHost.StartAsync();
        await host.Store.PutAsync("there", "abc");
        var peer = host.Connect();
        await peer.SendAsync("PUT a 3\nabcdef\nDELETE there\n");
        var ended = await peer.ExpectEndAsync($"OK 3 sha256={AbcHash}\nERR malformed The commands are PUT, GET, STAT, LIST, DELETE and QUIT.\n");
        Assert.Equal(ConnectionOutcome.ProtocolViolation, ended.Outcome);
        Assert.Equal(["a", "there"], await host.Store.NamesAsync());
    }

    [Fact]
    public async Task Line_WithoutAnEnd_IsCutAtItsBound()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("GET " + new string('a', 5000));
        Assert.StartsWith("ERR too-long ", Encoding.UTF8.GetString(await peer.ReceiveToEndAsync()), StringComparison.Ordinal);
        Assert.Equal(ConnectionOutcome.ProtocolViolation, (await peer.EndedAsync()).Outcome);
    }

    [Fact]
    public async Task Put_CutOff_PublishesNothingAndCanBeResumed()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("PUT a 6\nabc");
        peer.EndInput();
        var ended = await peer.ExpectEndAsync("ERR truncated The stream ended 3 bytes before the announced length; what came can be resumed.\n");
        Assert.Equal(ConnectionOutcome.ProtocolViolation, ended.Outcome);
        Assert.Empty(await host.Store.NamesAsync());
        peer = host.Connect();
        await peer.SendAsync($"STAT a\nPUT a 6 offset=3 sha256={FileFolder.Hash("abcdef"u8)}\ndefGET a\n");
        await peer.ExpectAsync($"OK partial=3\nOK 6 sha256={FileFolder.Hash("abcdef"u8)}\nOK 6 sha256={FileFolder.Hash("abcdef"u8)} total=6\nabcdef");
    }

    [Fact]
    public async Task Put_Reset_LeavesWhatCame()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("PUT a 6\nabc");
        await Bounded.UntilAsync(() => host.Store.Totals.Bytes == 3);
        peer.Connection.Reset();
        Assert.Equal(ConnectionOutcome.PeerReset, (await peer.EndedAsync()).Outcome);
        Assert.Equal(new(null, 3), await host.Store.StatAsync("a"));
        Assert.Equal(1, host.Readings.Of("perch.files.transfer.duration").Count(r => r.Tags == "direction=upload endpoint=test outcome=interrupted"));
    }

    [Fact]
    public async Task Put_WrongHash_IsRefusedAndGone()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync($"PUT a 3 sha256={EmptyHash}\nabcSTAT a\n");
        await peer.ExpectAsync("ERR checksum the bytes that came have another hash, send them again\nERR not-found there is no file of this name\n");
    }

    [Fact]
    public async Task Get_WhileTheNameIsReplaced_GivesTheOldFileWhole()
    {
        var (old, fresh) = (FileFolder.Bytes(2_000_000, 1), FileFolder.Bytes(1_000_000, 2));
        await using var host = await FileHost.StartAsync();
        await host.Store.PutAsync("a", old);
        var reader = host.Connect();
        await reader.SendAsync("GET a\n");
        await reader.ExpectAsync($"OK 2000000 sha256={FileFolder.Hash(old)} total=2000000\n");
        var writer = host.Connect();
        await writer.SendAsync("PUT a 1000000\n");
        await writer.SendAsync(fresh);
        await writer.ExpectAsync($"OK 1000000 sha256={FileFolder.Hash(fresh)}\n");
        await reader.ExpectAsync(old);
        await reader.SendAsync("GET a\n");
        await reader.ExpectAsync($"OK 1000000 sha256={FileFolder.Hash(fresh)} total=1000000\n");
        await reader.ExpectAsync(fresh);
    }

    [Fact]
    public async Task Put_TakenOverByAnother_IsToldAndItsBytesArePassedOver()
    {
        await using var host = await FileHost.StartAsync();
        var first = host.Connect();
        await first.SendAsync("PUT a 6\nabc");
        await Bounded.UntilAsync(() => host.Store.Totals.Bytes == 3);
        var second = host.Connect();
        await second.SendAsync("STAT a\nPUT a 6 offset=3\ndef");
        await second.ExpectAsync($"OK partial=3\nOK 6 sha256={FileFolder.Hash("abcdef"u8)}\n");
        await first.SendAsync("xyzSTAT b\n");
        await first.ExpectAsync("ERR superseded another connection goes on with this upload\nERR not-found there is no file of this name\n");
        Assert.Equal("abcdef", await host.Store.ReadTextAsync("a"));
    }

    [Fact]
    public async Task Drain_IdleConnection_EndsAtOnce()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("STAT a\n");
        await peer.ExpectAsync("ERR not-found there is no file of this name\n");
        peer.Connection.RequestClose();
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync()).Outcome);
    }

    [Fact]
    public async Task Drain_TransferInHand_IsFinished()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("PUT a 6\nabc");
        await Bounded.UntilAsync(() => host.Store.Totals.Bytes == 3);
        peer.Connection.RequestClose();
        await peer.SendAsync("def");
        Assert.Equal(ConnectionOutcome.Drained, (await peer.ExpectEndAsync($"OK 6 sha256={FileFolder.Hash("abcdef"u8)}\n")).Outcome);
        Assert.Equal("abcdef", await host.Store.ReadTextAsync("a"));
    }

    [Fact]
    public async Task IdleTimeout_InTheMiddleOfAPut_LeavesWhatCame()
    {
        var time = new FakeTimeProvider();
        await using var host = await FileHost.StartAsync(guards: """{ "IdleTimeout": "00:00:30" }""", time: time);
        var peer = host.Connect();
        await peer.SendAsync("PUT a 6\nabc");
        await Bounded.UntilAsync(() => host.Store.Totals.Bytes == 3);
        await Bounded.UntilAsync(() =>
        {
            peer.Connection.Heartbeat();
            time.Advance(TimeSpan.FromSeconds(31));
            return peer.Connection.AbortReason is not null;
        });
        Assert.Equal(ConnectionOutcome.IdleTimeout, (await peer.EndedAsync()).Outcome);
        Assert.Equal(3, (await host.Store.StatAsync("a")).Partial);
    }

    [Fact]
    public async Task WriteTimeout_ReaderThatStops_IsCutOff()
    {
        var time = new FakeTimeProvider();
        await using var host = await FileHost.StartAsync(guards: """{ "WriteTimeout": "00:00:30" }""", time: time);
        await host.Store.PutAsync("a", FileFolder.Bytes(1_000_000));
        var peer = host.Connect();
        await peer.SendAsync("GET a\n");
        await peer.ReceiveAsync(10);
        await Bounded.UntilAsync(() =>
        {
            peer.Connection.Heartbeat();
            time.Advance(TimeSpan.FromSeconds(31));
            return peer.Connection.AbortReason is not null;
        });
        Assert.Equal(ConnectionOutcome.WriteTimeout, (await peer.EndedAsync()).Outcome);
    }

    [Theory]
    [InlineData("AllowPut", "PUT a 3\nabc")]
    [InlineData("AllowGet", "GET a\n")]
    [InlineData("AllowList", "LIST\n")]
    [InlineData("AllowDelete", "DELETE a\n")]
    public async Task Forbidden_Command_IsRefusedAndOthersWork(string option, string command)
    {
        await using var host = await FileHost.StartAsync(options: $$"""{ "{{option}}": false }""");
        var peer = host.Connect();
        await peer.SendAsync(command + "STAT a\n");
        await peer.ExpectAsync("ERR forbidden this endpoint does not allow it\nERR not-found there is no file of this name\n");
    }

    [Fact]
    public async Task Store_ThatCannotBeOpened_IsToldAndComesBackByItself()
    {
        await using var host = await FileHost.StartAsync();
        await host.Files.GetAsync();
        await using var other = await FileHost.StartAsync(path: host.Folder.Root);
        var peer = other.Connect();
        await peer.SendAsync("PUT a 3\nabcSTAT a\n");
        await peer.ExpectAsync("ERR unavailable the store cannot be used now, try again\nERR unavailable the store cannot be used now, try again\n");
        Assert.Contains("in use by another Perch process", other.Files.Problem, StringComparison.Ordinal);
        Assert.Single(other.Logged("FileStoreFailed"));
        await host.Store.DisposeAsync();
        await Bounded.UntilAsync(() => other.Files.Problem is null);
        await peer.SendAsync("PUT a 3\nabc");
        await peer.ExpectAsync($"OK 3 sha256={AbcHash}\n");
    }

    [Fact]
    public async Task Put_MoreThanTheDiskHas_IsRefusedAndIsNoFaultOfTheStore()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("PUT a 9223372036854775807\n");
        await peer.ExpectAsync("ERR full there is no space for so much\n");
        peer.EndInput();
        await peer.ExpectEndAsync("ERR truncated The stream ended 9223372036854775807 bytes before the announced length.\n");
        Assert.Empty(host.Readings.Of("perch.files.store.errors"));
        Assert.Null(host.Files.Problem);
    }

    [Fact]
    public async Task Streams_OfRandomCommandsAndBytes_NeverFaultTheHandler()
    {
        string[] parts = ["PUT ", "GET ", "STAT ", "LIST ", "DELETE ", "QUIT", "a", "b/c", "..", "写", " 3", " 0", " 99", "\n", "\n", "\n", "abc", " offset=1", " length=2", " limit=1", " after=a", "\0", "\r", $" sha256={AbcHash}"];
        var random = new Random(9995);
        await using var host = await FileHost.StartAsync();
        for (var i = 0; i < 300; i++)
        {
            var peer = host.Connect(trickle: i % 10 == 0);
            await peer.SendAsync(string.Concat(Enumerable.Range(0, random.Next(1, 40)).Select(_ => parts[random.Next(parts.Length)])));
            peer.EndInput();
            Assert.All(Encoding.UTF8.GetString(await peer.ReceiveToEndAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(l => l.StartsWith("ERR", StringComparison.Ordinal)),
                line => Assert.Matches("^ERR [a-z-]+ .+$", line));
            Assert.Contains((await peer.EndedAsync()).Outcome, (ConnectionOutcome[])[ConnectionOutcome.PeerClosed, ConnectionOutcome.ProtocolViolation, ConnectionOutcome.Completed]);
        }

        Assert.Empty(host.Logged("HandlerFaulted"));
        Assert.Empty(await host.Store.FaultsAsync());
        Assert.Equal(new(host.Store.Totals.Files, host.Store.Totals.Bytes, host.Folder.Own("uploads").Length), host.Store.Totals);
    }

    [Fact]
    public async Task Log_NameThatDeceives_IsEscaped()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync("PUT a\u200Fb 3\nabc");
        await peer.ExpectAsync($"OK 3 sha256={AbcHash}\n");
        Assert.Equal(@"a\u200Fb", Assert.Single(host.Logged("FileStored")).GetStructuredStateValue("Name"));
    }

    [Fact]
    public async Task Metrics_Transfers_AreCountedWithTheirOutcomes()
    {
        await using var host = await FileHost.StartAsync();
        var peer = host.Connect();
        await peer.SendAsync($"PUT a 3\nabcGET a offset=1\nPUT b 3 sha256={EmptyHash}\nabcDELETE a\nPUT c 2\nde");
        await peer.ExpectAsync($"OK 3 sha256={AbcHash}\nOK 2 sha256={AbcHash} total=3\nbcERR checksum the bytes that came have another hash, send them again\nOK\nOK 2 sha256={FileFolder.Hash("de"u8)}\n");
        Assert.Equal((8, 2, 1), (host.Readings.Sum("perch.files.received", "endpoint=test"), host.Readings.Sum("perch.files.sent", "endpoint=test"), host.Readings.Sum("perch.files.deleted", "endpoint=test")));
        Assert.Equal(["download completed", "upload checksum", "upload completed", "upload completed"],
            host.Readings.Of("perch.files.transfer.duration").Select(r => r.Tags.Replace("direction=", "", StringComparison.Ordinal).Replace("endpoint=test outcome=", "", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
        Assert.Equal(0, host.Readings.Of("perch.files.active").Sum(r => r.Value));
        Assert.Equal((1, 2, 0), (host.Readings.Observe("perch.files.stored"), host.Readings.Observe("perch.files.size"), host.Readings.Observe("perch.files.partials")));
    }

    private static async Task<string> ModifiedAsync(FileHost host, string name)
    {
        DateTimeOffset? modified = null;
        var store = await host.Files.GetAsync();
        // Asked while the commands are on their way.
        for (var began = TimeProvider.System.GetTimestamp(); modified is null && TimeProvider.System.GetElapsedTime(began) < Bounded.Time;)
            modified = (await store.StatAsync(name)).File?.Modified;
        return Perch.Files.FileText.Time(modified!.Value);
    }
}
