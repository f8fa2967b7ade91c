using System.Collections.Concurrent;
using System.Diagnostics;

namespace Perch.Tests.Shared;

/// <summary>
/// Records the spans of some activity sources. Tests run in parallel and a source is shared by the whole process, so a test asks only
/// for spans that it can tell from those of other tests: by endpoint name, trace or link.
/// </summary>
internal sealed class SpanRecorder : IDisposable
{
    private readonly ActivityListener _listener;
    private readonly ConcurrentQueue<Activity> _ended = new();

    public SpanRecorder(params string[] sources)
    {
        _listener = new()
        {
            ShouldListenTo = source => sources.Contains(source.Name),
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = _ended.Enqueue,
        };
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>Spans that have ended, in the order of their ends.</summary>
    public IReadOnlyList<Activity> Ended => [.. _ended];

    /// <returns>The ended spans of connections and sessions of an endpoint.</returns>
    public IReadOnlyList<Activity> OfEndpoint(string endpoint) =>
        [.. _ended.Where(span => Equals(span.GetTagItem("perch.endpoint"), endpoint))];

    public void Dispose() => _listener.Dispose();
}
