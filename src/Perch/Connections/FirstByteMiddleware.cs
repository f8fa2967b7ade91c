using System.Diagnostics;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Perch.Transport;

namespace Perch.Connections;

/// <summary>
/// Adds the event <c>first_byte</c> to the span of a connection when the handler receives its first bytes. A connection without a
/// span keeps the transport's own reader.
/// </summary>
internal static class FirstByteMiddleware
{
    public static Task OnConnectionAsync(ConnectionContext connection, ConnectionDelegate next) =>
        ConnectionState.Of(connection)!.Span is { IsAllDataRequested: true } span ? WatchAsync(connection, span, next) : next(connection);

    private static async Task WatchAsync(ConnectionContext connection, Activity span, ConnectionDelegate next)
    {
        var transport = connection.Transport;
        // The transport withdraws sendfile when its pipe is replaced. Here only reads are watched, so files may still bypass the pipe.
        var sendFile = connection.Features.Get<ISendFileFeature>();
        connection.Transport = new WatchedTransport(new FirstByteReader(transport.Input, span), transport.Output);
        if (sendFile is not null)
            connection.Features.Set(sendFile);
        try
        {
            await next(connection);
        }
        finally
        {
            connection.Transport = transport;
        }
    }

    private sealed class WatchedTransport(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input { get; } = input;

        public PipeWriter Output { get; } = output;
    }

    /// <summary>Passes every call to the inner reader.</summary>
    private sealed class FirstByteReader(PipeReader inner, Activity span) : PipeReader
    {
        private bool _hasFirstByte;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
            _hasFirstByte ? inner.ReadAsync(cancellationToken) : WatchAsync(inner.ReadAsync(cancellationToken));

        protected override ValueTask<ReadResult> ReadAtLeastAsyncCore(int minimumSize, CancellationToken cancellationToken) =>
            _hasFirstByte
                ? inner.ReadAtLeastAsync(minimumSize, cancellationToken)
                : WatchAsync(inner.ReadAtLeastAsync(minimumSize, cancellationToken));

        public override bool TryRead(out ReadResult result)
        {
            if (!inner.TryRead(out result))
                return false;
            Watch(result);
            return true;
        }

        public override void AdvanceTo(SequencePosition consumed) => inner.AdvanceTo(consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => inner.AdvanceTo(consumed, examined);

        public override void CancelPendingRead() => inner.CancelPendingRead();

        public override void Complete(Exception? exception = null) => inner.Complete(exception);

        public override ValueTask CompleteAsync(Exception? exception = null) => inner.CompleteAsync(exception);

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
        private async ValueTask<ReadResult> WatchAsync(ValueTask<ReadResult> read)
        {
            var result = await read;
            Watch(result);
            return result;
        }

        private void Watch(in ReadResult result)
        {
            if (_hasFirstByte || result.Buffer.IsEmpty)
                return;
            _hasFirstByte = true;
            span.AddEvent(new("first_byte"));
        }
    }
}
