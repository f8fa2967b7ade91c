using Perch.Tests.Shared;
using Xunit.Abstractions;

namespace Perch.Records.Tests;

/// <summary>It looks at the whole process, so nothing runs beside it.</summary>
[CollectionDefinition(nameof(RecordAllocationTests), DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>What a message costs between the socket and the store, with a client and a store that allocate nothing.</summary>
[Collection(nameof(RecordAllocationTests))]
public sealed class RecordAllocationTests(ITestOutputHelper output)
{
    private const int Messages = 20_000;
    private const int Burst = 100;

    private static readonly byte[] Message = [.. Enumerable.Repeat((byte)'x', 100), (byte)'\n'];

#if DEBUG
    private const string? NotHere = "a Debug build allocates for every async call: dotnet test -c Release";
#else
    private const string? NotHere = null;
#endif

    [Theory(Skip = NotHere)]
    [InlineData(1, 20)]
    [InlineData(Burst, 2)]
    public async Task Session_SteadyState_AllocatesNothingPerMessage(int burst, long most)
    {
        var time = new ObservedTime();
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time, store: new FrugalStore());
        // What listens to the metrics allocates.
        host.Readings.Dispose();
        var peer = host.Connect();
        var sent = Enumerable.Repeat(Message, burst).SelectMany(bytes => bytes).ToArray();
        await ExchangeAsync(peer, sent, burst, Messages / 10).Soon();
        var before = GC.GetTotalAllocatedBytes(precise: true);
        await ExchangeAsync(peer, sent, burst, Messages).Soon();
        var each = (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Messages;
        output.WriteLine($"{burst} at once: {each:0.00} bytes a message");
        Assert.InRange(each, 0, most);
    }

    [Fact]
    public async Task Writer_IdleForHours_LeavesNothingBehind()
    {
        var (time, store) = (new ObservedTime(), new FakeStore());
        await using var host = await RecordHost.StartAsync(RecordHost.Line, time: time, store: store);
        for (var i = 0; i < 10; i++) await PassAsync();
        var (timers, before) = (time.Timers, GC.GetTotalMemory(forceFullCollection: true));
        for (var i = 0; i < 20_000; i++) await PassAsync();
        var kept = GC.GetTotalMemory(forceFullCollection: true) - before;
        output.WriteLine($"{kept} bytes kept");
        Assert.Equal(timers, time.Timers);
        // A wait that stayed behind would cost a hundred bytes a second at least.
        Assert.InRange(kept, long.MinValue, 1_000_000);

        async Task PassAsync()
        {
            var trims = store.Trims;
            time.Advance(TimeSpan.FromSeconds(1));
            await Bounded.UntilAsync(() => store.Trims > trims);
        }
    }

    /// <summary>Sends so many at once, and the next ones when they are answered.</summary>
    private static async Task ExchangeAsync(Peer peer, byte[] sent, int burst, int messages)
    {
        var answers = burst * "OK 7\n".Length;
        for (var i = 0; i < messages; i += burst)
        {
            await peer.Connection.SendAsync(sent);
            for (var received = 0L; received < answers;)
            {
                var read = await peer.Connection.ClientInput.ReadAsync();
                received += read.Buffer.Length;
                peer.Connection.ClientInput.AdvanceTo(read.Buffer.End);
                Assert.False(read.IsCompleted);
            }
        }
    }

    private sealed class FrugalStore : IRecordStore
    {
        public int Writers => 1;

        public bool IsShared => false;

        public Task OpenAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task AppendAsync(IReadOnlyList<RecordBatch> batches, CancellationToken cancellationToken)
        {
            for (var i = 0; i < batches.Count; i++)
            {
                for (var record = 0; record < batches[i].Count; record++) batches[i].SetId(record, 7);
            }

            return Task.CompletedTask;
        }

        public Task ProbeAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task<int> TrimAsync(int most, CancellationToken cancellationToken) => Task.FromResult(0);

        public IAsyncEnumerable<StoredRecord> ReadAsync(RecordQuery query, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<long> LastIdAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<StoredRecord?> FindAsync(long id, CancellationToken cancellationToken) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
