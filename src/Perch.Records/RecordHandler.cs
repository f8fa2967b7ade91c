using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Perch.Records;

/// <summary>
/// Stores each message and acknowledges it when it is durable, in order. What one read brought is one batch, so that a
/// sender that pipelines is as fast as the store; several batches of a connection may be on their way.
/// </summary>
internal sealed class RecordHandler : ConnectionHandler
{
    private readonly RecordOptions _options;
    private readonly RecordWriter _writer;
    private readonly TimeProvider _time;
    private readonly RecordAck _ack;
    private readonly ILogger<RecordHandler> _logger;

    public RecordHandler(RecordOptions options, RecordWriter writer, TimeProvider time, ILogger<RecordHandler> logger)
    {
        (_options, _writer, _time, _ack, _logger) = (options, writer, time, new(options.Ack), logger);
        writer.Need();
    }

    public override Task OnConnectedAsync(ConnectionContext connection) => _options.Once
        ? new RecordOnceSession(connection, _options, _ack, _writer, _time, _logger).RunAsync()
        : new RecordSession(connection, _options, _ack, _writer, _time).RunAsync();
}
