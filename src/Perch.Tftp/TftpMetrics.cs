using System.Diagnostics.Metrics;
using Perch.Files;

namespace Perch.Tftp;

/// <summary>The instruments of TFTP, in the meter <c>Perch</c>. No label has an address or a file's name.</summary>
internal sealed class TftpMetrics : IDisposable
{
    private static readonly string[] OutcomeNames = [.. Enum.GetNames<TftpOutcome>().Select(NameOf)];

    private readonly Meter _meter;
    private readonly TimeProvider _time;
    private readonly Counter<long> _transfers;
    private readonly Counter<long> _bytes;
    private readonly Counter<long> _resent;
    private readonly Counter<long> _strangers;
    private readonly UpDownCounter<long> _active;
    private readonly Histogram<double> _duration;

    public TftpMetrics(IMeterFactory meters, TimeProvider time)
    {
        _time = time;
        _meter = meters.Create("Perch");
        _transfers = _meter.CreateCounter<long>("perch.tftp.transfers", "{transfer}", "Requests and what became of them.");
        _bytes = _meter.CreateCounter<long>("perch.tftp.bytes", "By", "Bytes of files that peers have acknowledged, or have sent.");
        _resent = _meter.CreateCounter<long>("perch.tftp.resent", "{datagram}", "Datagrams that were sent again.");
        _strangers = _meter.CreateCounter<long>("perch.tftp.strangers", "{datagram}", "Datagrams of another address or port than the transfer's.");
        _active = _meter.CreateUpDownCounter<long>("perch.tftp.active", "{transfer}", "Transfers in progress.");
        _duration = _meter.CreateHistogram<double>("perch.tftp.transfer.duration", "s", "Transfers that came to an end of their own: completed ones, and those that were given up.");
    }

    public static string NameOf(TftpOutcome outcome) => OutcomeNames[(int)outcome];

    public void Refused(string endpoint, bool isWrite, TftpOutcome outcome) => _transfers.Add(1, Endpoint(endpoint), Direction(isWrite), Outcome(outcome));

    /// <param name="endpoint">The endpoint's name.</param>
    /// <param name="isWrite">The direction.</param>
    /// <param name="file">The same transfer for the store's instruments; ended with this one.</param>
    public Running Begin(string endpoint, bool isWrite, FileMetrics.FileTransfer file) => new(this, endpoint, isWrite, file);

    public void Dispose() => _meter.Dispose();

    /// <returns><c>NotFound</c> as <c>not-found</c>.</returns>
    private static string NameOf(string name) => string.Concat(name.Select((c, i) => i > 0 && char.IsUpper(c) ? $"-{char.ToLowerInvariant(c)}" : $"{char.ToLowerInvariant(c)}"));

    private static KeyValuePair<string, object?> Endpoint(string endpoint) => new("endpoint", endpoint);

    private static KeyValuePair<string, object?> Direction(bool isWrite) => new("direction", isWrite ? "write" : "read");

    private static KeyValuePair<string, object?> Outcome(TftpOutcome outcome) => new("outcome", NameOf(outcome));

    /// <summary>One transfer while it runs.</summary>
    internal sealed class Running
    {
        private readonly TftpMetrics _metrics;
        private readonly KeyValuePair<string, object?> _endpoint;
        private readonly KeyValuePair<string, object?> _direction;
        private readonly long _started;
        private readonly FileMetrics.FileTransfer _file;

        public Running(TftpMetrics metrics, string endpoint, bool isWrite, FileMetrics.FileTransfer file)
        {
            _file = file;
            (_metrics, _endpoint, _direction, _started) = (metrics, Endpoint(endpoint), Direction(isWrite), metrics._time.GetTimestamp());
            metrics._active.Add(1, _endpoint, _direction);
        }

        public long Bytes { get; private set; }

        public long Resent { get; private set; }

        public TimeSpan Elapsed => _metrics._time.GetElapsedTime(_started);

        public void AddBytes(long bytes)
        {
            Bytes += bytes;
            _file.Add(bytes);
            _metrics._bytes.Add(bytes, _endpoint, _direction);
        }

        public void AddResent(long datagrams)
        {
            Resent += datagrams;
            _metrics._resent.Add(datagrams, _endpoint, _direction);
        }

        public void AddStranger() => _metrics._strangers.Add(1, _endpoint, _direction);

        public void End(TftpOutcome outcome)
        {
            _file.Outcome = NameOf(outcome);
            _file.Dispose();
            _metrics._active.Add(-1, _endpoint, _direction);
            _metrics._transfers.Add(1, _endpoint, _direction, Outcome(outcome));
            _metrics._duration.Record(Elapsed.TotalSeconds, _endpoint, _direction, Outcome(outcome));
        }
    }
}
