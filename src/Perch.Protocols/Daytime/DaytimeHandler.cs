using System.Buffers;
using System.Globalization;
using System.Text;
using Perch.Connections;
using Perch.Messages;

namespace Perch.Protocols.Daytime;

/// <summary>
/// Sends the date and time as one line and closes; what the peer sends is thrown away (RFC 867). The RFC leaves the form
/// open; this is the second it suggests, with a four-digit year and in UTC: <c>20 NOV 2026 20:09:58 UTC</c>.
/// </summary>
[ServerSpeaksFirst]
internal sealed class DaytimeHandler(DaytimeOptions options, TimeProvider time) : MessageHandler<DaytimeOptions>(options)
{
    protected override ValueTask OnOpenAsync(MessageContext context)
    {
        var now = time.GetUtcNow().ToString("dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture).ToUpperInvariant();
        context.Reply.Write(Encoding.ASCII.GetBytes($"{now} UTC\r\n"));
        context.Close();
        return ValueTask.CompletedTask;
    }

    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message) => ValueTask.CompletedTask;
}
