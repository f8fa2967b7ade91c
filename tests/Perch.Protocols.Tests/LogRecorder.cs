using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Perch.Protocols.Tests;

/// <summary>Keeps every event that is logged, with its properties.</summary>
internal sealed class LogRecorder : ILoggerProvider
{
    private readonly ConcurrentQueue<LogEvent> _events = new();

    /// <summary>The events of this name, in order.</summary>
    public LogEvent[] Events(string name) => [.. _events.Where(e => e.Name == name)];

    public ILogger CreateLogger(string categoryName) => new Logger(_events);

    public void Dispose()
    {
    }

    private sealed class Logger(ConcurrentQueue<LogEvent> events) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            events.Enqueue(new(eventId.Name ?? "", logLevel, formatter(state, exception),
                state is IEnumerable<KeyValuePair<string, object?>> properties ? properties.ToDictionary(p => p.Key, p => p.Value) : []));
    }
}

internal sealed record LogEvent(string Name, LogLevel Level, string Message, IReadOnlyDictionary<string, object?> Properties)
{
    public object? this[string property] => Properties[property];
}
