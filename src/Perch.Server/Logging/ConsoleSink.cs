using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;

namespace Perch.Server.Logging;

/// <summary>
/// Writes a line at a time, and never colours: what reads standard output of a server is a file or a collector. Called
/// by one thread, that of the asynchronous sink around it.
/// </summary>
internal sealed class ConsoleSink(TextWriter console, ITextFormatter formatter) : ILogEventSink
{
    public void Emit(LogEvent logEvent)
    {
        using var line = new StringWriter();
        formatter.Format(logEvent, line);
        console.Write(line.ToString());
        console.Flush();
    }
}
