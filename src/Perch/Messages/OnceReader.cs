using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Perch.Transport;
using Perch.Transport.Timers;

namespace Perch.Messages;

/// <summary>
/// Reads the one message of a connection whose protocol has no length (<c>Once</c>). The message ends at the peer's half-close, or
/// when no byte has arrived for the quiet time; either is the end of this reader's stream (<see cref="ReadResult.IsCompleted"/>).
/// </summary>
/// <remarks>
/// The quiet time counts from when a read begins to wait, so that the time that a store takes does not count. The timer is not
/// restarted for each receive: if it is early, the read continues and the timer starts again for the rest.
/// </remarks>
/// <param name="connection">The connection. Its own reader is used beside this one only after the message.</param>
/// <param name="quietTime">The quiet time; zero ends the message with the first receive.</param>
/// <param name="time">The clock, the same as that of the connection's timers.</param>
public sealed class OnceReader(ConnectionContext connection, TimeSpan quietTime, TimeProvider time) : PipeReader, IDisposable
{
    /// <summary>
    /// How long a peer that has been answered may take to close, before the host does. Shorter than the shortest sensible
    /// <c>IdleTimeout</c>, which would reset the connection.
    /// </summary>
    private static readonly TimeSpan CloseTime = TimeSpan.FromSeconds(1);

    private readonly PipeReader _input = connection.Transport.Input;
    private ReadOnlySequence<byte> _buffer;
    private QuietTimer? _timer;
    private long _unread;
    private long _quietSince;
    private bool _hasBytes;

    /// <summary>A read waits, or has waited, for more of the message since <see cref="_quietSince"/>, and no byte has come.</summary>
    private bool _isQuiet;
    private bool _hasEnded;

    /// <summary>The peer has closed its side: no byte can follow the message.</summary>
    public bool HasPeerEnded { get; private set; }

    /// <inheritdoc/>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var reading = _input.ReadAsync(cancellationToken);
            if (!reading.IsCompleted && _hasBytes)
                StartTimer();
            var read = Observe(await reading);
            if (!read.IsCanceled || _timer?.TakeDue() != true)
                return read;
            // The timer was early.
            AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    /// <inheritdoc/>
    public override bool TryRead(out ReadResult result)
    {
        if (!_input.TryRead(out result))
            return false;
        result = Observe(result);
        return true;
    }

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    /// <inheritdoc/>
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        var left = consumed.Equals(_buffer.End) ? 0 : _buffer.Slice(consumed).Length;
        // The caller has done something with the bytes, which may have taken a while.
        if (left < _unread)
            _isQuiet = false;
        (_buffer, _unread) = (default, left);
        _input.AdvanceTo(consumed, examined);
    }

    /// <inheritdoc/>
    public override void CancelPendingRead() => _input.CancelPendingRead();

    /// <inheritdoc/>
    public override void Complete(Exception? exception = null) => _input.Complete(exception);

    /// <summary>The connection ends: its timer is not to keep it in memory.</summary>
    public void Dispose() => _timer?.Stop();

    /// <summary>After the message, before its answer: drops what the server has received beyond the message.</summary>
    /// <returns>Whether there was a byte.</returns>
    public bool DropFurtherBytes()
    {
        while (!HasPeerEnded && _input.TryRead(out var read))
        {
            var hasBytes = !read.Buffer.IsEmpty;
            HasPeerEnded = read.IsCompleted;
            _input.AdvanceTo(read.Buffer.End);
            if (hasBytes)
                return true;
        }

        return false;
    }

    /// <summary>
    /// After the answer: drops what comes until the peer closes, falls silent or the endpoint drains. A close with bytes unread
    /// would be a reset, which may take the answer from the peer.
    /// </summary>
    /// <param name="onBytes">Called once if a byte comes; null if that is no news.</param>
    /// <param name="draining">The drain token of the connection, which also cancels pending reads.</param>
    public async Task DropToEndAsync(Action? onBytes, CancellationToken draining)
    {
        while (await DropAsync(draining))
        {
            onBytes?.Invoke();
            onBytes = null;
        }
    }

    /// <returns>Whether a byte came.</returns>
    private async ValueTask<bool> DropAsync(CancellationToken draining)
    {
        if (HasPeerEnded)
            return false;
        // A transport that keeps its own progress half-closes: the peer sees the end at once, and may close at its leisure. With
        // another transport the end of the output closes the socket, so the peer waits for the end.
        var halfCloses = connection.Features.Get<IConnectionProgressFeature>() is not null;
        if (halfCloses)
            await connection.Transport.Output.CompleteAsync();
        var limit = halfCloses || quietTime > CloseTime ? CloseTime : quietTime;
        if (limit == TimeSpan.Zero)
            return DropFurtherBytes();
        var since = time.GetTimestamp();
        Timer().Begin(limit);
        while (true)
        {
            if (DropFurtherBytes())
                return true;
            if (HasPeerEnded || draining.IsCancellationRequested || time.GetElapsedTime(since) >= limit)
                return false;
            var read = await _input.ReadAsync(CancellationToken.None);
            _input.AdvanceTo(read.Buffer.Start);
        }
    }

    private ReadResult Observe(in ReadResult read)
    {
        var length = read.Buffer.Length;
        if (length > _unread)
            (_hasBytes, _isQuiet) = (true, false);
        (_buffer, _unread) = (read.Buffer, length);
        HasPeerEnded |= read.IsCompleted;
        _hasEnded |= HasPeerEnded || (_hasBytes && quietTime == TimeSpan.Zero)
            || (_isQuiet && time.GetElapsedTime(_quietSince) >= quietTime);
        if (_hasEnded)
            _timer?.Stop();
        return new(read.Buffer, read.IsCanceled && !_hasEnded, _hasEnded);
    }

    /// <summary>A read waits for more of the message.</summary>
    private void StartTimer()
    {
        if (!_isQuiet)
            (_isQuiet, _quietSince) = (true, time.GetTimestamp());
        if (Timer().IsPending)
            return;
        var left = quietTime - time.GetElapsedTime(_quietSince);
        _timer!.Begin(left > TimeSpan.Zero ? left : TimeSpan.Zero);
    }

    private QuietTimer Timer() => _timer ??= new(connection.Features.GetRequiredFeature<IConnectionTimerFeature>().Timers, _input);

    /// <summary>Cancels the read that waits. The reader decides by the clock if that is the end, so a late call does no harm.</summary>
    private sealed class QuietTimer(TimerWheel wheel, PipeReader input) : WheelTimer(wheel)
    {
        private const int Idle = 0;
        private const int Pending = 1;
        private const int Due = 2;

        private int _state;

        public bool IsPending => Volatile.Read(ref _state) == Pending;

        public void Begin(TimeSpan delay)
        {
            Volatile.Write(ref _state, Pending);
            Start(delay);
        }

        public void Stop()
        {
            if (Cancel())
                Volatile.Write(ref _state, Idle);
        }

        /// <returns>Whether the timer was due since the last call.</returns>
        public bool TakeDue() => Interlocked.CompareExchange(ref _state, Idle, Due) == Due;

        protected override void OnDue()
        {
            Volatile.Write(ref _state, Due);
            input.CancelPendingRead();
        }
    }
}
