using System.Diagnostics.Metrics;
using Perch.Stores;

namespace Perch.Files;

/// <summary>The instruments of the file store, in the meter <c>Perch</c>. No label has a file's name.</summary>
internal sealed class FileMetrics : IDisposable
{
    private readonly Meter _meter;
    private readonly TimeProvider _time;
    private readonly Counter<long> _received;
    private readonly Counter<long> _sent;
    private readonly Counter<long> _deleted;
    private readonly Counter<long> _errors;
    private readonly Histogram<double> _duration;
    private readonly UpDownCounter<long> _active;

    public FileMetrics(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        _meter = meters.Create("Perch");
        _received = _meter.CreateCounter<long>("perch.files.received", "By", "Bytes of files that were written to the store.");
        _sent = _meter.CreateCounter<long>("perch.files.sent", "By", "Bytes of files that were sent.");
        _deleted = _meter.CreateCounter<long>("perch.files.deleted", "{file}", "Files that peers deleted.");
        _errors = _meter.CreateCounter<long>("perch.files.store.errors", "{error}", "Failures of the store itself, by code.");
        _duration = _meter.CreateHistogram<double>("perch.files.transfer.duration", "s", "Uploads and downloads, by how they ended.");
        _active = _meter.CreateUpDownCounter<long>("perch.files.active", "{transfer}", "Uploads and downloads in progress.");
    }

    public void Observe(Func<FileTotals> totals, Func<FileLimits> limits)
    {
        _meter.CreateObservableCounter("perch.files.partials.dropped", () => limits().Dropped, "{file}", "Idle unfinished uploads that were dropped to make room.");
        _meter.CreateObservableUpDownCounter("perch.files.stored", () => totals().Files, "{file}", "Whole files in the store.");
        _meter.CreateObservableUpDownCounter("perch.files.partials", () => (long)totals().Partials, "{file}", "Unfinished uploads, those in progress too.");
        _meter.CreateObservableUpDownCounter("perch.files.size", () => totals().Bytes, "By", "Bytes of files and unfinished uploads.");
    }

    /// <param name="isUp">Whether the store can store files now.</param>
    public void ObserveStore(Func<bool> isUp) =>
        _meter.CreateObservableGauge("perch.files.store.up", () => isUp() ? 1 : 0, "{store}", "1 while files can be stored, else 0.");

    /// <param name="path">The full path of the folder.</param>
    public void ObserveDisk(string path) =>
        _meter.CreateObservableGauge("perch.files.store.free", () => FreeSpace.Of(path), "By", "Free bytes of the disk that has the store of files.");

    public FileTransfer BeginUpload(string endpoint) => new(this, endpoint, "upload");

    public FileTransfer BeginDownload(string endpoint) => new(this, endpoint, "download");

    public void Deleted(string endpoint) => _deleted.Add(1, new KeyValuePair<string, object?>("endpoint", endpoint));

    public void Failed(string code) => _errors.Add(1, new KeyValuePair<string, object?>("code", code));

    public void Dispose() => _meter.Dispose();

    /// <summary>One upload or download while it lives; disposed it is over, as <c>interrupted</c> unless it was told otherwise.</summary>
    internal sealed class FileTransfer : IDisposable
    {
        private readonly FileMetrics _metrics;
        private readonly KeyValuePair<string, object?> _endpoint;
        private readonly KeyValuePair<string, object?> _direction;
        private readonly Counter<long> _counter;
        private readonly long _started;

        public FileTransfer(FileMetrics metrics, string endpoint, string direction)
        {
            _metrics = metrics;
            (_endpoint, _direction) = (new("endpoint", endpoint), new("direction", direction));
            _counter = direction == "upload" ? metrics._received : metrics._sent;
            _started = metrics._time.GetTimestamp();
            metrics._active.Add(1, _endpoint, _direction);
        }

        /// <summary><c>completed</c>, <c>interrupted</c>, or the code of the refusal.</summary>
        public string Outcome { get; set; } = "interrupted";

        public void Add(long bytes) => _counter.Add(bytes, _endpoint);

        public void Dispose()
        {
            _metrics._active.Add(-1, _endpoint, _direction);
            _metrics._duration.Record(_metrics._time.GetElapsedTime(_started).TotalSeconds, _endpoint, _direction, new("outcome", Outcome));
        }
    }
}
