using System.Buffers;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Connections;
using Perch.Wire.Framings;

namespace Perch.Protocols.Echo;

/// <summary>The same echo on Kestrel's contract alone: what the other shapes spare a handler.</summary>
internal sealed class EchoRawHandler(EchoOptions options) : ConnectionHandler
{
    private readonly byte[] _prefix = Encoding.UTF8.GetBytes(options.Prefix);

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var (input, output) = (connection.Transport.Input, connection.Transport.Output);
        var feature = connection.Features.Get<IPerchConnectionFeature>();
        var draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        await using var drain = draining.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), input);
        var frames = new FrameReader(options.Framing, options.MaxMessageBytes);
        while (true)
        {
            var read = await input.ReadAsync();
            var leaving = draining.IsCancellationRequested;
            var (buffer, answered) = (read.Buffer, false);
            while (frames.TryRead(ref buffer, read.IsCompleted, out var message))
            {
                output.Write(_prefix);
                foreach (var segment in message) output.Write(segment.Span);
                if (feature is not null) feature.Messages++;
                answered = true;
            }

            if (read.IsCompleted) frames.EnsureComplete(buffer);
            // A message that has partly arrived is the one in hand: it is waited for, and the last.
            leaving &= answered || buffer.IsEmpty;
            input.AdvanceTo(buffer.Start, buffer.End);
            var flush = await output.FlushAsync();
            if (read.IsCompleted || flush.IsCompleted || leaving) return;
        }
    }
}
