using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>What a sender and the operator see when the store fails.</summary>
public sealed class RecordFailureTests
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public static TheoryData<string> Codes => new() { "unavailable", "busy", "full", "read-only", "corrupt" };

    [Theory]
    [MemberData(nameof(Codes))]
    public async Task Line_AppendFails_EachRecordIsRefusedAndTheConnectionStays(string code)
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Failure = new RecordStoreException(code, "for the operator only");
        var peer = host.Connect();
        await peer.SendAsync("a\nb\n");
        await peer.ExpectAsync(Refused(code, 2));
        Assert.Equal("for the operator only", host.Writer.Problem);
        host.Store.Failure = null;
        await peer.SendAsync("c\n");
        await peer.ExpectAsync("OK 1\n");
        Assert.Null(host.Writer.Problem);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync();
        Assert.Equal((ConnectionOutcome.PeerClosed, 1), (ended.Outcome, ended.Messages));
        Assert.Equal(["c"], host.Store.Texts);
    }

    [Fact]
    public async Task Line_AppendThrowsAnythingElse_IsUnavailable()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Failure = new InvalidOperationException("a bug of the store's");
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await peer.ExpectAsync(Refused("unavailable", 1));
        Assert.Equal("a bug of the store's", host.Writer.Problem);
    }

    [Fact]
    public async Task Line_GroupFails_EverySenderInItIsTold()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Line);
        host.Store.Hold();
        var (first, second, third) = (host.Connect(), host.Connect(), host.Connect());
        await first.SendAsync("a\n");
        await host.Store.AppendingAsync();
        await second.SendAsync("b\n");
        await host.QueuedAsync(2);
        await third.SendAsync("c\n");
        await host.QueuedAsync(3);
        host.Store.Failure = new RecordStoreException("full", "no space left");
        host.Store.Release();
        foreach (var peer in new[] { first, second, third }) await peer.ExpectAsync(Refused("full", 1));
        await Bounded.UntilAsync(() => host.Queue.Records == 0);
        Assert.Equal(0, host.Queue.Bytes);
    }

    [Theory]
    [InlineData(RecordHost.Once, "hi")]
    [InlineData(RecordHost.Syslog, "<13>one\n<13>two\n")]
    public async Task OnceOrSilent_AppendFails_IsToldOnceAndClosed(string options, string sent)
    {
        await using var host = await RecordHost.StartAsync(options);
        host.Store.Failure = new RecordStoreException("full", "no space left");
        var peer = host.Connect();
        await peer.SendAsync(sent);
        peer.EndInput();
        var ended = await peer.ExpectEndAsync(Refused("full", 1));
        Assert.Equal((ConnectionOutcome.StorageUnavailable, 0), (ended.Outcome, ended.Messages));
    }

    [Fact]
    public async Task Silent_SeveralBatchesFail_IsToldOnce()
    {
        await using var host = await RecordHost.StartAsync(RecordHost.Syslog);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("<13>one\n");
        await host.Store.AppendingAsync();
        await peer.SendAsync("<13>two\n");
        await host.QueuedAsync(2);
        await peer.SendAsync("<13>three\n");
        await host.QueuedAsync(3);
        host.Store.Failure = new RecordStoreException("full", "no space left");
        host.Store.Release();
        Assert.Equal(ConnectionOutcome.StorageUnavailable, (await peer.ExpectEndAsync(Refused("full", 1))).Outcome);
    }

    [Theory]
    [InlineData(RecordHost.Once, "hi", 1)]
    [InlineData(RecordHost.Line, "a\nb\n", 2)]
    [InlineData(RecordHost.Syslog, "<13>one\n<13>two\n", 1)]
    public async Task AppendHangs_TimeIsOver_IsRefusedAndClosedWithoutAnAnswer(string options, string sent, int lines)
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(options, time: time);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync(sent);
        // The clock stands still: the half-close ends the message of Once.
        if (options == RecordHost.Once) peer.EndInput();
        await host.Store.AppendingAsync();
        time.Advance(Second * 11);
        Assert.StartsWith("the store has not answered", host.Writer.Problem);
        var ended = await peer.BeatToEndAsync();
        await peer.ExpectEndAsync(Refused("unavailable", lines));
        Assert.Equal((ConnectionOutcome.StorageUnavailable, 0), (ended.Outcome, ended.Messages));

        // It may end after all; the next sender finds the store well.
        host.Store.Release();
        await Bounded.UntilAsync(() => host.Queue.Records == 0);
        Assert.Null(host.Writer.Problem);
        Assert.Equal(sent.Count(c => c == '\n') + (options == RecordHost.Once ? 1 : 0), host.Store.Texts.Length);
    }

    [Fact]
    public async Task AppendHangs_SeveralBatchesInFlight_EachRecordIsRefused()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, new() { QueueRecords = 2 }, time);
        host.Store.Hold();
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await host.Store.AppendingAsync();
        await peer.SendAsync("b\n");
        await host.QueuedAsync(2);
        await peer.SendAsync("c\n");
        time.Advance(Second * 11);
        // One after the other: each heartbeat looks at the one whose turn it is.
        var ended = await peer.BeatToEndAsync();
        var answers = System.Text.Encoding.UTF8.GetString(await peer.ReceiveToEndAsync());
        Assert.Contains(answers, new[] { Refused("unavailable", 2), Refused("unavailable", 3) });
        Assert.Equal(ConnectionOutcome.StorageUnavailable, ended.Outcome);
    }

    [Fact]
    public async Task OpenFails_AtStart_SendersAreToldAtOnceAndItMendsByItself()
    {
        var time = new FakeTimeProvider();
        var store = new FakeStore { OpenFailure = new RecordStoreException("read-only", "the folder cannot be written to") };
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time, store: store);
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await peer.ExpectAsync(Refused("read-only", 1));
        var health = new RecordsHealthCheck(host.Writer);
        Assert.Equal(HealthCheckResult.Unhealthy("the folder cannot be written to").Description, (await health.CheckHealthAsync(new())).Description);
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync(new())).Status);

        // Within the second nobody tries again, however many ask.
        for (var i = 0; i < 5; i++)
        {
            await peer.SendAsync("a\n");
            await peer.ExpectAsync(Refused("read-only", 1));
        }

        Assert.Equal((1, 0), (store.Opens, store.Appends));
        for (var opens = 2; opens < 5; opens++)
        {
            await AdvanceUntilAsync(time, () => store.Opens == opens);
            Assert.Equal(opens, store.Opens);
        }

        store.OpenFailure = null;
        await AdvanceUntilAsync(time, () => host.Writer.Problem is null);
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync(new())).Status);
        await peer.SendAsync("b\n");
        await peer.ExpectAsync("OK 1\n");
        Assert.Single(host.Logged("RecordStoreFailed"));
        Assert.Single(host.Logged("RecordStoreMended"));
    }

    [Fact]
    public async Task OpenFails_NobodySends_ReadinessIsRedFromTheStart()
    {
        var store = new FakeStore { OpenFailure = new RecordStoreException("read-only", "the folder cannot be written to") };
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: new FakeTimeProvider(), store: store);
        Assert.Equal("the folder cannot be written to", host.Writer.Problem);
    }

    [Fact]
    public async Task OpenHangs_RecordsWait_ReadinessIsRed()
    {
        var (time, store) = (new FakeTimeProvider(), new FakeStore());
        store.HoldOpen();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time, store: store);
        await AdvanceUntilAsync(time, () => store.Opens == 1);
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await host.QueuedAsync(1);
        Assert.Null(host.Writer.Problem);
        time.Advance(Second * 11);
        Assert.Equal("the store has not answered for 11 s", host.Writer.Problem);
        Assert.Equal(11, host.Readings.Observe("perch.record.oldest"));
        await peer.BeatToEndAsync();
        await peer.ExpectEndAsync(Refused("unavailable", 1));
        store.ReleaseOpen();
        await Bounded.UntilAsync(() => host.Queue.Records == 0);
        Assert.Null(host.Writer.Problem);
    }

    [Fact]
    public async Task AppendFails_Idle_IsTriedOnceASecondAndMendsByItself()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        var peer = host.Connect();
        await peer.SendAsync("a\n");
        await peer.ExpectAsync("OK 1\n");
        host.Store.Failure = new RecordStoreException("full", "no space left");
        await peer.SendAsync("b\n");
        await peer.ExpectAsync(Refused("full", 1));
        for (var probes = 1; probes < 4; probes++) await AdvanceUntilAsync(time, () => host.Store.Probes == probes);
        Assert.Equal("no space left", host.Writer.Problem);
        host.Store.Failure = null;
        await AdvanceUntilAsync(time, () => host.Writer.Problem is null);
        Assert.Equal((4, 2), (host.Store.Probes, host.Store.Appends));
    }

    [Fact]
    public async Task AppendFails_ProbeToo_NextMessagesAreRefusedWithoutAnAppend()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        host.Store.Failure = new RecordStoreException("full", "no space left");
        var peer = host.Connect();
        for (var i = 0; i < 5; i++)
        {
            await peer.SendAsync("a\n");
            await peer.ExpectAsync(Refused("full", 1));
        }

        Assert.Equal((1, 1), (host.Store.Appends, host.Store.Probes));
    }

    [Fact]
    public async Task AppendFails_ProbeIsSlowToFail_NextMessagesAreRefusedAtOnce()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        host.Store.Failure = new RecordStoreException("busy", "locked");
        // As one does that waits for a lock.
        host.Store.Probing = () => time.Advance(Second * 2);
        var peer = host.Connect();
        for (var i = 0; i < 5; i++)
        {
            await peer.SendAsync("a\n");
            await peer.ExpectAsync(Refused("busy", 1));
        }

        Assert.Equal((1, 1), (host.Store.Appends, host.Store.Probes));
    }

    [Fact]
    public async Task TrimFails_ReadinessIsRedUntilItMends()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        var peer = host.Connect();
        host.Store.TrimFailure = new RecordStoreException("corrupt", "the file is damaged");
        await peer.SendAsync("a\n");
        await peer.ExpectAsync("OK 1\n");
        await AdvanceUntilAsync(time, () => host.Writer.Problem == "the file is damaged");
        host.Store.TrimFailure = null;
        await AdvanceUntilAsync(time, () => host.Writer.Problem is null);
        await peer.SendAsync("b\n");
        await peer.ExpectAsync("OK 2\n");
    }

    [Fact]
    public async Task AppendFails_ProbeDoesNot_IsLoggedOnce()
    {
        var time = new FakeTimeProvider();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time);
        host.Store.Failure = new RecordStoreException("full", "no room for a row");
        host.Store.ProbeFails = false;
        var peer = host.Connect();
        for (var i = 0; i < 3; i++)
        {
            await peer.SendAsync("a\n");
            await peer.ExpectAsync(Refused("full", 1));
        }

        Assert.Equal((3, 1), (host.Store.Appends, host.Logged("RecordStoreFailed").Length));
        Assert.Empty(host.Logged("RecordStoreMended"));
        host.Store.Failure = null;
        await peer.SendAsync("b\n");
        await peer.ExpectAsync("OK 1\n");
        Assert.Single(host.Logged("RecordStoreMended"));
    }

    /// <summary>Goes on by a second until it has come to that; each step is seen through before the next.</summary>
    private static async Task AdvanceUntilAsync(FakeTimeProvider time, Func<bool> holds)
    {
        if (holds()) return;
        time.Advance(Second);
        await Bounded.UntilAsync(holds);
    }

    private static string Refused(string code, int lines) => string.Concat(Enumerable.Repeat($"ERR {code} not stored, send it again\n", lines));
}
