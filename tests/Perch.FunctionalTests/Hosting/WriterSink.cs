using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting;

namespace Perch.FunctionalTests.Hosting;

/// <summary>Writes each line to a <see cref="TextWriter"/>, as the console sink writes it to standard output.</summary>
internal sealed class WriterSink(TextWriter writer, ITextFormatter formatter) : ILogEventSink
{
    public void Emit(LogEvent logEvent)
    {
        using var line = new StringWriter();
        formatter.Format(logEvent, line);
        writer.Write(line.ToString());
    }
}
