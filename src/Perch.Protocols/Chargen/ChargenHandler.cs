using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Perch.Connections;

namespace Perch.Protocols.Chargen;

/// <summary>
/// Sends lines of 72 characters, each shifted by one, for as long as the peer reads; what it sends is thrown away
/// (RFC 864, TCP only: over UDP it is a weapon).
/// </summary>
[ServerSpeaksFirst]
internal sealed class ChargenHandler : ConnectionHandler
{
    private const int LineLength = 72;
    private const int FirstCharacter = ' ';
    private const int Characters = '~' - ' ' + 1;

    /// <summary>Every line once, so that sending goes round in it.</summary>
    private static readonly byte[] Pattern = MakePattern();

    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        var draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        var discarding = DiscardAsync(connection.Transport.Input);
        var output = connection.Transport.Output;
        await using var drain = draining.UnsafeRegister(static output => ((PipeWriter)output!).CancelPendingFlush(), output);
        try
        {
            while (!draining.IsCancellationRequested && !(await output.WriteAsync(Pattern)).IsCompleted)
            {
                // The peer's half-close is not an end: RFC 864 sends until the connection is closed.
            }
        }
        finally
        {
            connection.Transport.Input.CancelPendingRead();
            await discarding;
        }
    }

    private static async Task DiscardAsync(PipeReader input)
    {
        while (true)
        {
            var read = await input.ReadAsync();
            input.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted || read.IsCanceled) return;
        }
    }

    private static byte[] MakePattern()
    {
        var pattern = new byte[Characters * (LineLength + 2)];
        for (var line = 0; line < Characters; line++)
        {
            var row = pattern.AsSpan(line * (LineLength + 2), LineLength + 2);
            for (var i = 0; i < LineLength; i++) row[i] = (byte)(FirstCharacter + ((line + i) % Characters));
            row[LineLength] = (byte)'\r';
            row[LineLength + 1] = (byte)'\n';
        }

        return pattern;
    }
}
