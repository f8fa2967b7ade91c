using System.Buffers;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Connections;
using Perch.Diagnostics;
using Perch.Wire.Framings;

namespace Perch.Messages;

/// <summary>The messages of one connection as a stream. A message in one piece is handed out where it lies, without a copy.</summary>
internal sealed class IncomingMessages : IAsyncEnumerable<ReadOnlyMemory<byte>>, IAsyncEnumerator<ReadOnlyMemory<byte>>, IDisposable
{
    private readonly PipeReader _input;
    private readonly HandlerContext _context;
    private readonly MessageMeter _meter;
    private FrameReader _frames;
    private ReadOnlySequence<byte> _rest;
    private byte[]? _joined;
    private bool _reading;
    private bool _completed;
    private bool _draining;
    private bool _taken;
    private long _started;
    private bool _enumerated;

    public IncomingMessages(ConnectionContext connection, HandlerContext context, MessageOptions options)
    {
        _input = connection.Transport.Input;
        _context = context;
        _meter = MessageMeter.Of(connection);
        _frames = new FrameReader(options.Framing, options.MaxMessageBytes);
    }

    public ReadOnlyMemory<byte> Current { get; private set; }

    /// <summary>The stream has told the conversation that there is no more.</summary>
    public bool IsAtEnd { get; private set; }

    public IAsyncEnumerator<ReadOnlyMemory<byte>> GetAsyncEnumerator(CancellationToken cancellationToken = default)
    {
        if (_enumerated) throw new InvalidOperationException("The messages of a connection can be enumerated once.");
        _enumerated = true;
        return this;
    }

    /// <summary>The peer is gone: the next message asked for is the end.</summary>
    public void End()
    {
        IsAtEnd = true;
        _input.CancelPendingRead();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<bool> MoveNextAsync()
    {
        StopMeter();
        while (!IsAtEnd)
        {
            if (_reading)
            {
                if (TryTake()) return true;
                if (_completed) _frames.EnsureComplete(_rest);
                // A message that has partly arrived is the one in hand: it is waited for and taken, with what came with it.
                IsAtEnd = _completed || (_draining && (_taken || _rest.IsEmpty));
                _input.AdvanceTo(_rest.Start, _rest.End);
                _reading = false;
            }
            else
            {
                var read = await _input.ReadAsync();
                _draining = _context.IsDraining(read);
                (_rest, _completed, _reading, _taken) = (read.Buffer, read.IsCompleted, true, false);
            }
        }

        return false;
    }

    /// <summary>The conversation is over, wherever it left the stream.</summary>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        StopMeter();
        if (_reading) _input.AdvanceTo(_rest.Start, _rest.End);
        _reading = false;
        if (_joined is not null) ArrayPool<byte>.Shared.Return(_joined);
        _joined = null;
    }

    private void StopMeter()
    {
        _meter.Stop(_started);
        _started = 0;
    }

    private bool TryTake()
    {
        if (!_frames.TryRead(ref _rest, _completed, out var message)) return false;
        Current = message.IsSingleSegment ? message.First : Join(message);
        _context.CountMessages(1);
        _taken = true;
        _started = _meter.Start();
        return true;
    }

    private ReadOnlyMemory<byte> Join(in ReadOnlySequence<byte> message)
    {
        var length = (int)message.Length;
        if (_joined is null || _joined.Length < length)
        {
            if (_joined is not null) ArrayPool<byte>.Shared.Return(_joined);
            _joined = ArrayPool<byte>.Shared.Rent(length);
        }

        message.CopyTo(_joined);
        return _joined.AsMemory(0, length);
    }
}
