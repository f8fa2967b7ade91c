using System.IO.Pipelines;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

/// <summary>
/// A session without a writer behind its queue: the test takes the batches and completes them. It runs within each
/// <see cref="SendAsync"/> until it waits again, so what was sent is queued when that returns.
/// </summary>
internal sealed class LoneSession : IAsyncDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly RecordMetrics _metrics;
    private readonly RecordWriter _writer;
    private readonly RecordSession _session;
    private readonly List<RecordBatch> _taken = [];

    public LoneSession(RecordOptions options, RecordsOptions? records = null, TimeProvider? time = null, Func<PipeWriter, PipeWriter>? output = null)
    {
        if (output is not null) Connection.Transport = new Duplex(Connection.Transport.Input, output(Connection.Transport.Output));
        _metrics = ActivatorUtilities.CreateInstance<RecordMetrics>(_services);
        _writer = new(new FakeStore(), records ?? new(), _metrics, time ?? TimeProvider.System, NullLogger<RecordWriter>.Instance);
        _session = new(Connection, options, new(options.Ack), _writer, time ?? TimeProvider.System);
        Served = _session.RunAsync();
    }

    public InMemoryConnection Connection { get; } = new(pauseThreshold: 4 * 1024 * 1024, scheduler: PipeScheduler.Inline);

    public RecordQueue Queue => _writer.NextQueue();

    public Task Served { get; }

    public Task SendAsync(string text) => Connection.SendAsync(text).Soon();

    public async Task ExpectAsync(string expected) => Assert.Equal(expected, await Connection.ReceiveTextAsync(expected.Length).Soon());

    /// <summary>All that is queued now.</summary>
    public List<RecordBatch> Take()
    {
        var group = new List<RecordBatch>();
        Queue.Take(group, int.MaxValue, int.MaxValue);
        _taken.AddRange(group);
        return group;
    }

    /// <summary>Heartbeats come until the session has answered so: which batch it looks at it settles on the thread pool.</summary>
    public async Task ExpectOfHeartbeatAsync(string expected)
    {
        var answer = Connection.ReceiveTextAsync(expected.Length);
        await Bounded.UntilAsync(() =>
        {
            Connection.Heartbeat();
            return answer.IsCompleted;
        });
        Assert.Equal(expected, await answer);
    }

    /// <summary>Makes the batch durable, with ids from <paramref name="id"/> on, and gives its room back.</summary>
    public void Commit(RecordBatch batch, long id)
    {
        var (records, bytes) = (batch.Count, batch.Bytes);
        for (var i = 0; i < records; i++) batch.SetId(i, id + i);
        _taken.Remove(batch);
        Assert.True(batch.TryComplete(null));
        Queue.Release(records, bytes);
    }

    /// <summary>Has the store fail, and gives the batch's room back.</summary>
    public void Fail(RecordBatch batch, RecordStoreException failure)
    {
        var (records, bytes) = (batch.Count, batch.Bytes);
        _taken.Remove(batch);
        Assert.True(batch.TryComplete(failure));
        Queue.Release(records, bytes);
    }

    public async ValueTask DisposeAsync()
    {
        if (!Served.IsCompleted)
        {
            Connection.Reset();
            await Bounded.UntilAsync(() =>
            {
                Take();
                foreach (var batch in _taken)
                {
                    // Once it is complete it is the session's again.
                    Queue.Release(batch.Count, batch.Bytes);
                    batch.TryComplete(null);
                }

                _taken.Clear();
                return Served.IsCompleted;
            });
        }

        await Served.ContinueWith(static _ => { }, TaskScheduler.Default);
        _writer.Dispose();
        _metrics.Dispose();
        await _services.DisposeAsync();
    }

    private sealed record Duplex(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
