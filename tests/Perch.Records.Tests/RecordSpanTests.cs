using System.Collections.Concurrent;
using System.Diagnostics;
using Perch.Diagnostics;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

public sealed class RecordSpanTests : IDisposable
{
    private readonly SpanRecorder _spans = new(PerchTracing.SourceName);

    public void Dispose() => _spans.Dispose();

    [Fact]
    public async Task Commit_OfTwoConnections_IsARootSpanThatLinksToBoth()
    {
        var store = new SeeingStore();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, store: store);
        var (first, second) = (host.Connect(), host.Connect());
        await first.SendAsync("a\nb\n");
        await host.QueuedAsync(2);
        await second.SendAsync("c\n");
        await host.QueuedAsync(3);
        store.Release();
        await first.ExpectAsync("OK 1\nOK 1\n");
        await second.ExpectAsync("OK 1\n");
        foreach (var peer in (Peer[])[first, second])
        {
            peer.EndInput();
            await peer.EndedAsync();
        }

        var connections = store.Appends.SelectMany(append => append.Connections).Distinct().ToList();
        Assert.Equal(2, connections.Count);
        Assert.All(connections, span => Assert.Contains(span, _spans.Ended));
        var commits = store.Appends.Select(append => append.Current!).ToList();
        Assert.All(commits, span => Assert.Equal("record commit", span.DisplayName));
        Assert.All(commits, span => Assert.Equal((ActivityKind.Internal, default), (span.Kind, span.ParentSpanId)));
        var linked = commits.SelectMany(span => span.Links).Select(link => link.Context.SpanId).ToHashSet();
        Assert.Equal(connections.Select(c => c.SpanId).ToHashSet(), linked);
        Assert.Equal(3L, commits.Sum(span => (long)span.GetTagItem("perch.record.rows")!));
        Assert.All(commits, span => Assert.Equal("Sqlite", span.GetTagItem("perch.store")));
        Assert.All(commits, span => Assert.Equal(ActivityStatusCode.Unset, span.Status));
        Assert.All(connections, span => Assert.Contains(span.Events, e => e.Name == "store"));
        Assert.Equal(3L, connections.SelectMany(span => span.Events).Where(e => e.Name == "store").Sum(e => (long)e.Tags.Single().Value!));
    }

    [Fact]
    public async Task Commit_ThatFails_HasTheErrorType()
    {
        var store = new SeeingStore { Failure = new("full", "the disk is full") };
        await using var host = await RecordHost.StartAsync(RecordHost.Line, store: store);
        var peer = host.Connect();
        store.Release();
        await peer.SendAsync("a\n");
        await peer.ExpectAsync("ERR full");

        var commit = Assert.Single(store.Appends).Current!;
        Assert.Equal("full", commit.GetTagItem("error.type"));
        Assert.Equal(ActivityStatusCode.Error, commit.Status);
    }

    /// <summary>Notes in which span it is called, and for which connections.</summary>
    private sealed class SeeingStore : IRecordStore
    {
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public ConcurrentQueue<(Activity? Current, Activity[] Connections)> Appends { get; } = new();

        public RecordStoreException? Failure { get; init; }

        public int Writers => 1;

        public bool IsShared => false;

        public void Release() => _released.SetResult();

        public Task OpenAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task AppendAsync(IReadOnlyList<RecordBatch> batches, CancellationToken cancellationToken)
        {
            Appends.Enqueue((Activity.Current, [.. batches.Select(batch => batch.Span!)]));
            await _released.Task;
            if (Failure is not null) throw Failure;
            foreach (var batch in batches)
            {
                for (var i = 0; i < batch.Count; i++) batch.SetId(i, 1);
            }
        }

        public Task ProbeAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<int> TrimAsync(int most, CancellationToken cancellationToken) => Task.FromResult(0);

        public IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, CancellationToken cancellationToken) =>
            throw new NotSupportedException();

        public Task<long> LastIdAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
