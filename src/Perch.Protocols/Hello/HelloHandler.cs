using System.Buffers;
using System.Text;
using Microsoft.Extensions.Logging;
using Perch.Messages;
using Perch.Wire;
using Perch.Wire.Framings;

namespace Perch.Protocols.Hello;

/// <summary>
/// A session: each message is greeted in the log and answered with <c>-</c>; one that contains <c>--quit--</c>, in any
/// case, ends it.
/// </summary>
internal sealed partial class HelloHandler(HelloOptions options, ILogger<HelloHandler> logger) : MessageHandler<HelloOptions>(options)
{
    private const string Quit = "--QUIT--";

    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        if (Options.Framing == Framing.Chunk && message.Length == Options.MaxMessageBytes) Log.AtLimit(logger, Options.MaxMessageBytes);
        var name = Encoding.UTF8.GetString(message).TrimEnd().ToUpperInvariant();
        if (name.Contains(Quit, StringComparison.Ordinal))
        {
            Log.Quit(logger);
            context.Close();
            return ValueTask.CompletedTask;
        }

        if (logger.IsEnabled(LogLevel.Information)) Log.Greeted(logger, PeerText.Escape(name));
        context.Reply.Write("-"u8);
        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(4100, LogLevel.Information, "Hello {Name}", EventName = "HelloGreeted")]
        public static partial void Greeted(ILogger logger, string name);

        [LoggerMessage(4101, LogLevel.Information, "The peer asked to quit", EventName = "HelloQuit")]
        public static partial void Quit(ILogger logger);

        [LoggerMessage(4102, LogLevel.Warning, "A message has the most bytes that are taken at once ({MaxMessageBytes}): it may go on in the next", EventName = "HelloAtLimit")]
        public static partial void AtLimit(ILogger logger, int maxMessageBytes);
    }
}
