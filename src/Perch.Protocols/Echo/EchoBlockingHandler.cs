using System.Text;
using Microsoft.Extensions.Logging;
using Perch.Messages;

namespace Perch.Protocols.Echo;

/// <summary>The same echo on a thread of its own: the thread-per-connection style of the tutorials.</summary>
internal sealed class EchoBlockingHandler(EchoBlockingOptions options, ILogger<EchoBlockingHandler> logger)
    : BlockingHandler<EchoBlockingOptions>(options, logger)
{
    protected override void Handle(Stream stream, BlockingContext context)
    {
        var prefix = Encoding.UTF8.GetBytes(Options.Prefix);
        var buffer = new byte[prefix.Length + Options.MaxMessageBytes];
        prefix.CopyTo(buffer, 0);
        while (!context.Draining.IsCancellationRequested && stream.Read(buffer.AsSpan(prefix.Length)) is var length and > 0)
        {
            stream.Write(buffer.AsSpan(0, prefix.Length + length));
            context.CountMessages();
        }
    }
}
