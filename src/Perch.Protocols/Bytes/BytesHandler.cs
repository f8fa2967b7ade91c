using System.Buffers;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Messages;
using Perch.Wire;

namespace Perch.Protocols.Bytes;

/// <summary>Sends its payload to each peer that connects; what arrives is counted and logged as hex.</summary>
[ServerSpeaksFirst]
internal sealed partial class BytesHandler(BytesOptions options, ILogger<BytesHandler> logger) : MessageHandler<BytesOptions>(options)
{
    private readonly byte[] _payload = Convert.FromHexString(options.Payload);

    protected override ValueTask OnOpenAsync(MessageContext context)
    {
        context.Reply.Write(_payload);
        return ValueTask.CompletedTask;
    }

    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        if (logger.IsEnabled(LogLevel.Information)) Log.Received(logger, message.Length, PeerText.Hex(message));
        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(4300, LogLevel.Information, "Received {Count} bytes: {Hex}", EventName = "BytesReceived")]
        public static partial void Received(ILogger logger, long count, string hex);
    }
}
