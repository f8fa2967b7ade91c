using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using Perch.Messages;
using Perch.Wire;

namespace Perch.Protocols.Reply;

/// <summary>One message is logged and answered, then the connection closes.</summary>
internal sealed partial class ReplyHandler(ReplyOptions options, ILogger<ReplyHandler> logger) : MessageHandler<ReplyOptions>(options)
{
    private readonly byte[] _answer = Encoding.UTF8.GetBytes(options.Answer);

    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        if (logger.IsEnabled(LogLevel.Information)) Log.Received(logger, PeerText.Escape(message));
        context.Reply.Write(_answer);
        context.Close();
        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(4200, LogLevel.Information, "受信データ: {Text}", EventName = "ReplyReceived")]
        public static partial void Received(ILogger logger, string text);
    }
}
