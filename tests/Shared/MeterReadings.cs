using System.Diagnostics.Metrics;

namespace Perch.Tests.Shared;

/// <summary>What the instruments of one meter factory have said; other tests' meters are not heard.</summary>
internal sealed class MeterReadings : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Lock _lock = new();
    private readonly List<(string Instrument, double Value, string Tags)> _readings = [];

    public MeterReadings(IMeterFactory meters)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, meters)) listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Add(instrument, value, tags));
        _listener.Start();
    }

    /// <returns>The values of one instrument, each with its tags as <c>key=value</c> in the order of the keys.</returns>
    public (double Value, string Tags)[] Of(string instrument)
    {
        lock (_lock) return [.. _readings.Where(r => r.Instrument == instrument).Select(r => (r.Value, r.Tags))];
    }

    /// <returns>The sum of one instrument where its tags are these.</returns>
    public double Sum(string instrument, string tags) => Of(instrument).Where(r => r.Tags == tags).Sum(r => r.Value);

    /// <summary>Takes a reading of the observable instruments.</summary>
    public void Observe() => _listener.RecordObservableInstruments();

    /// <returns>What an observable instrument says now.</returns>
    public double Observe(string instrument)
    {
        Observe();
        return Of(instrument)[^1].Value;
    }

    public void Dispose() => _listener.Dispose();

    private void Add(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var text = string.Join(' ', tags.ToArray().OrderBy(t => t.Key, StringComparer.Ordinal).Select(t => $"{t.Key}={t.Value}"));
        lock (_lock) _readings.Add((instrument.Name, value, text));
    }
}
