using Serilog.Events;
using Serilog.Formatting;
using Serilog.Formatting.Display;
using Serilog.Formatting.Json;
using Serilog.Parsing;

namespace Perch.Server.Logging;

/// <summary>
/// <c>[2026-01-31 12:34:56 INF] message</c>, then <c>, connection</c> and the id if the line is of a connection and the message does not
/// contain the id, <c>, trace</c> and the id if the connection is traced; then the exception, indented.
/// </summary>
internal sealed class TextLineFormatter : ITextFormatter
{
    private const string ConnectionId = "ConnectionId";

    private readonly MessageTemplateTextFormatter _line = new("[{Timestamp:yyyy-MM-dd HH:mm:ss} {Level:u3}] {Message:l}");

    public void Format(LogEvent logEvent, TextWriter output)
    {
        using var line = new StringWriter();
        _line.Format(logEvent, line);
        ControlCharacters.WriteEscaped(output, line.ToString());
        if (logEvent.Properties.TryGetValue(ConnectionId, out var value) && value is ScalarValue { Value: string connection }
            && !IsInMessage(logEvent))
        {
            output.Write(", connection ");
            ControlCharacters.WriteEscaped(output, connection);
        }

        // The lines of connections. ASP.NET Core gives every admin request a trace id too, whether it is exported or not.
        if (logEvent.TraceId is { } trace && logEvent.Properties.ContainsKey("Peer"))
            output.Write($", trace {trace.ToHexString()}");
        output.Write('\n');

        if (logEvent.Exception is not { } exception)
            return;
        // Indented, so that a message with a line break in it cannot pass for a line of the log.
        foreach (var part in exception.ToString().AsSpan().EnumerateLines())
        {
            output.Write("  ");
            ControlCharacters.WriteEscaped(output, part);
            output.Write('\n');
        }
    }

    private static bool IsInMessage(LogEvent logEvent) =>
        logEvent.MessageTemplate.Tokens.OfType<PropertyToken>().Any(token => token.PropertyName == ConnectionId);
}

/// <summary>One JSON object a line (JSON Lines), with the time in UTC.</summary>
internal sealed class JsonLineFormatter : ITextFormatter
{
    private readonly JsonFormatter _json = new(closingDelimiter: "", renderMessage: true);

    public void Format(LogEvent logEvent, TextWriter output)
    {
        var utc = new LogEvent(
            logEvent.Timestamp.ToUniversalTime(),
            logEvent.Level,
            logEvent.Exception,
            logEvent.MessageTemplate,
            logEvent.Properties.Select(property => new LogEventProperty(property.Key, property.Value)),
            logEvent.TraceId ?? default,
            logEvent.SpanId ?? default);
        using var line = new StringWriter();
        _json.Format(utc, line);
        // What JSON leaves raw (DEL, C1) stands inside strings only, where the escape means the same.
        ControlCharacters.WriteEscaped(output, line.ToString());
        output.Write('\n');
    }
}
