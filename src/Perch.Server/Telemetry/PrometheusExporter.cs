using System.Runtime.InteropServices;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace Perch.Server.Telemetry;

/// <summary>
/// Renders what the OpenTelemetry SDK has collected as Prometheus text, when somebody scrapes. Attach it with a
/// <see cref="BaseExportingMetricReader"/>. The length of a scrape is bounded by the SDK's cardinality limit (2000 points an
/// instrument); beyond it the SDK itself folds points into one that is labelled <c>otel_metric_overflow</c>.
/// </summary>
[ExportModes(ExportModes.Pull)]
internal sealed class PrometheusExporter : BaseExporter<Metric>, IPullMetricExporter
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly PrometheusTextWriter _text = new();
    private readonly List<(string Name, Metric Metric)> _metrics = [];
    private readonly List<KeyValuePair<string, object?>> _tags = [];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);

    public Func<int, bool>? Collect { get; set; }

    /// <summary>
    /// Collects and hands the text to <paramref name="read"/>, which must copy what it keeps: the buffer is the next
    /// scrape's as soon as it returns. Scrapes wait for one another, so a slow peer must not be waited for inside.
    /// </summary>
    /// <returns>Whether there was anything to read: false before the provider is built and after it is disposed.</returns>
    public async Task<bool> ScrapeAsync(Action<ReadOnlyMemory<byte>> read, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
        try
        {
            _text.Clear();
            if (Collect is not { } collect || !collect(Timeout.Infinite))
                return false;
            read(_text.Written);
            return true;
        }
        finally
        {
            _turn.Release();
        }
    }

    public override ExportResult Export(in Batch<Metric> batch)
    {
        _text.Clear();
        _metrics.Clear();
        foreach (var metric in batch)
            _metrics.Add((PrometheusNames.Metric(metric.Name, metric.Unit, metric.MetricType), metric));

        // All samples of a name must stand together under one header, whichever meters they come from.
        _metrics.Sort(static (x, y) => string.CompareOrdinal(x.Name, y.Name) is var order and not 0
            ? order
            : string.CompareOrdinal(x.Metric.MeterName, y.Metric.MeterName));

        WriteTargetInfo();
        for (int start = 0, end; start < _metrics.Count; start = end)
        {
            end = start + 1;
            while (end < _metrics.Count && _metrics[end].Name == _metrics[start].Name)
                end++;
            WriteFamily(CollectionsMarshal.AsSpan(_metrics)[start..end]);
        }
        return ExportResult.Success;
    }

    private void WriteTargetInfo()
    {
        _tags.Clear();
        foreach (var (key, value) in ParentProvider.GetResource().Attributes)
            _tags.Add(new(key, value));
        if (_tags.Count == 0)
            return;
        SetLabels();
        _text.WriteHeader("target_info", "gauge", "Target metadata");
        _text.WriteSample("target_info", "", 1);
    }

    private void WriteFamily(ReadOnlySpan<(string Name, Metric Metric)> family)
    {
        string? type = null;
        _seen.Clear();
        foreach (var (name, metric) in family)
        {
            var own = PrometheusNames.TypeOf(metric.Name, metric.MetricType);
            foreach (ref readonly var point in metric.GetMetricPoints())
            {
                // A name has one type: what a second meter calls by the same name and counts differently is left out.
                if (type is not null && type != own)
                    break;
                if (type is null)
                    _text.WriteHeader(name, type = own, metric.Description);

                SetLabels(point.Tags);
                // The same series from two meters would make the whole scrape invalid: the first one stays.
                if (family.Length > 1 && !_seen.Add(Encoding.UTF8.GetString(_text.Labels)))
                    continue;
                WritePoint(name, metric.MetricType, point);
            }
        }
    }

    private void WritePoint(string name, MetricType type, in MetricPoint point)
    {
        switch (type)
        {
            case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                _text.WriteSample(name, "", point.GetSumLong());
                break;
            case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                _text.WriteSample(name, "", point.GetSumDouble());
                break;
            case MetricType.LongGauge:
                _text.WriteSample(name, "", point.GetGaugeLastValueLong());
                break;
            case MetricType.DoubleGauge:
                _text.WriteSample(name, "", point.GetGaugeLastValueDouble());
                break;
            default:
                WriteHistogram(name, type, point);
                break;
        }
    }

    private void WriteHistogram(string name, MetricType type, in MetricPoint point)
    {
        var count = point.GetHistogramCount();
        var cumulative = 0L;
        // The text format cannot carry exponential buckets: what remains of them is the sum and the count.
        if (type == MetricType.Histogram)
        {
            foreach (var bucket in point.GetHistogramBuckets())
            {
                cumulative += bucket.BucketCount;
                if (double.IsFinite(bucket.ExplicitBound))
                    _text.WriteSample(name, "_bucket", cumulative, bucket.ExplicitBound);
            }
        }
        _text.WriteSample(name, "_bucket", count, double.PositiveInfinity);
        _text.WriteSample(name, "_sum", point.GetHistogramSum());
        _text.WriteSample(name, "_count", count);
    }

    private void SetLabels(ReadOnlyTagCollection tags)
    {
        _tags.Clear();
        foreach (var tag in tags)
            _tags.Add(tag);
        SetLabels();
    }

    private void SetLabels()
    {
        _tags.Sort(static (x, y) => string.CompareOrdinal(x.Key, y.Key));
        _text.SetLabels(CollectionsMarshal.AsSpan(_tags));
    }
}
