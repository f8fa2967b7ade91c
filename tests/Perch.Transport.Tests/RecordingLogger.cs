using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Perch.Transport.Tests;

/// <summary>Keeps what is logged.</summary>
internal sealed class RecordingLogger : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<(LogLevel Level, string? Name, string Text)> _events = new();

    public IReadOnlyCollection<(LogLevel Level, string? Name, string Text)> Events => _events;

    public IEnumerable<string> Named(string name) => _events.Where(e => e.Name == name).Select(e => e.Text);

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        _events.Enqueue((logLevel, eventId.Name, formatter(state, exception)));

    public bool IsEnabled(LogLevel logLevel) => true;

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider)
    {
    }

    public void Dispose()
    {
    }
}
