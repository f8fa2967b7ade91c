using System.Diagnostics.Metrics;
using Perch.Stores;

namespace Perch.Records;

/// <summary>The instruments of the record store, in the meter <c>Perch</c>.</summary>
internal sealed class RecordMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly Counter<long> _stored;
    private readonly Counter<long> _refused;
    private long _storeBytes = -1;

    public RecordMetrics(IMeterFactory meters)
    {
        _meter = meters.Create("Perch");
        _stored = _meter.CreateCounter<long>("perch.records.stored", "{record}", "Records that were acknowledged as durable, repeated ones too.");
        _refused = _meter.CreateCounter<long>("perch.records.refused", "{record}", "Records that were not stored, by the code that their senders got.");
        CommitDuration = _meter.CreateHistogram<double>("perch.record.commit.duration", "s", "From the begin of a transaction to its records being durable.");
        CommitSize = _meter.CreateHistogram<long>("perch.record.commit.size", "{record}", "Records of a transaction.");
        _meter.CreateObservableUpDownCounter("perch.record.store.size", ObserveStoreBytes, "By", "Bytes of the store of records.");
    }

    public Histogram<double> CommitDuration { get; }

    public Histogram<long> CommitSize { get; }

    /// <param name="bytes">Bytes that the store occupies; null: not known, and the metric has no sample.</param>
    public void SetStoreSize(long? bytes) => Volatile.Write(ref _storeBytes, bytes ?? -1);

    /// <param name="isUp">Whether the store can store records now.</param>
    public void ObserveStore(Func<bool> isUp) =>
        _meter.CreateObservableGauge("perch.record.store.up", () => isUp() ? 1 : 0, "{store}", "1 while records can be stored, else 0.");

    /// <param name="path">The full path of the database.</param>
    public void ObserveDisk(string path) =>
        _meter.CreateObservableGauge("perch.record.store.free", () => FreeSpace.Of(path), "By", "Free bytes of the disk that has the store of records.");

    public void Observe(RecordQueue[] queues, Func<double> oldestSeconds)
    {
        _meter.CreateObservableUpDownCounter("perch.record.queue", () => queues.Sum(queue => queue.Records), "{record}", "Records that wait for their commit.");
        _meter.CreateObservableUpDownCounter("perch.record.queue.size", () => queues.Sum(queue => queue.Bytes), "By", "Bytes that wait for their commit.");
        _meter.CreateObservableGauge("perch.record.oldest", oldestSeconds, "s", "How long the oldest record has waited for its commit.");
    }

    public void Stored(RecordBatch batch) => _stored.Add(batch.Count, new KeyValuePair<string, object?>("endpoint", batch.Endpoint));

    public void Refused(RecordBatch batch, string code) =>
        _refused.Add(batch.Count, new KeyValuePair<string, object?>("endpoint", batch.Endpoint), new KeyValuePair<string, object?>("code", code));

    public void Dispose() => _meter.Dispose();

    private IEnumerable<Measurement<long>> ObserveStoreBytes()
    {
        var bytes = Volatile.Read(ref _storeBytes);
        return bytes < 0 ? [] : [new(bytes)];
    }
}
