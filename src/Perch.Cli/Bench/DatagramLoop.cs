using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>
/// Datagrams that come back: each connection has so many on their way, with a number each. One that is not answered in time is lost,
/// and another goes in its place; what comes later is not counted.
/// </summary>
internal sealed class DatagramLoop : IDisposable
{
    private const int HeaderBytes = sizeof(long);
    private const int ReceiveBufferBytes = 4 << 20;
    private const int SlotBits = 16;

    private readonly BenchOptions _options;
    private readonly BenchProgress _progress;
    private readonly BenchPattern _pattern = BenchPattern.Stream();
    private readonly IPoller _poller = OperatingSystem.IsLinux() ? new EpollPoller(isEdgeTriggered: false) : new SelectPoller();
    private readonly Socket[] _sockets;
    private readonly long[][] _times;
    private readonly long[][] _numbers;
    private readonly byte[] _message;
    private readonly byte[] _buffer = new byte[64 * 1024];
    private readonly List<long> _series = [];
    private long _last;

    public DatagramLoop(EndPoint address, BenchOptions options, BenchProgress progress)
    {
        (_options, _progress) = (options, progress);
        _message = new byte[Math.Max(HeaderBytes, options.Size)];
        _times = [.. Enumerable.Range(0, options.Connections).Select(_ => new long[options.Depth])];
        _numbers = [.. Enumerable.Range(0, options.Connections).Select(_ => new long[options.Depth])];
        _sockets = [.. Enumerable.Range(0, options.Connections).Select(_ => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { Blocking = false, ReceiveBufferSize = ReceiveBufferBytes })];
        for (var i = 0; i < _sockets.Length; i++)
        {
            _sockets[i].Connect(address);
            _poller.Add(_sockets[i], i, wantsWrite: false);
        }

        progress.Up = _sockets.Length;
    }

    public BenchResult Run(string target, CancellationToken cancellationToken)
    {
        var begin = Stopwatch.GetTimestamp() + (long)(_options.WarmUp.TotalSeconds * Stopwatch.Frequency);
        long measured = begin, end = long.MaxValue, sweep = 0, sample = long.MaxValue, sampled = 0;
        double clientCpu = 0;
        double? serverCpu = null;
        for (var i = 0; i < _sockets.Length; i++)
        {
            for (var slot = 0; slot < _options.Depth; slot++) Send(i, slot);
        }

        while (!cancellationToken.IsCancellationRequested)
        {
            var now = Stopwatch.GetTimestamp();
            if (!_progress.IsMeasuring && now >= begin)
            {
                _progress.Latency.Clear();
                (_progress.Messages, _progress.Bytes, _progress.Lost) = (0, 0, 0);
                (clientCpu, serverCpu) = (ProcessorTime.OfThisProcess(), ProcessorTime.Of(_options.ServerProcess));
                (measured, end, sample) = (now, now + (long)(_options.Duration.TotalSeconds * Stopwatch.Frequency), now + (Stopwatch.Frequency / 10));
                _progress.IsMeasuring = true;
            }

            if (now >= end) break;
            for (; now >= sample; sample += Stopwatch.Frequency / 10)
            {
                _series.Add(_progress.Messages - sampled);
                sampled = _progress.Messages;
            }

            if (now - sweep > Stopwatch.Frequency / 50)
            {
                sweep = now;
                Sweep(now);
            }

            foreach (var ready in _poller.Wait(10)) Receive(ready.Id);
        }

        return new(target, _options, _progress, Math.Max(Stopwatch.GetElapsedTime(measured).TotalSeconds, 1e-3), 0, ProcessorTime.OfThisProcess() - clientCpu, ProcessorTime.Of(_options.ServerProcess) - serverCpu, _series);
    }

    public void Dispose()
    {
        foreach (var socket in _sockets) socket.Dispose();
        _poller.Dispose();
    }

    private void Send(int connection, int slot)
    {
        var number = (++_last << SlotBits) | (long)slot;
        (_numbers[connection][slot], _times[connection][slot]) = (number, Stopwatch.GetTimestamp());
        BinaryPrimitives.WriteInt64LittleEndian(_message, number);
        _pattern.At(number, _message.Length - HeaderBytes).CopyTo(_message.AsSpan(HeaderBytes));
        _ = SocketCalls.Send(_sockets[connection], _message, out var error);
        if (error is not (SocketError.Success or SocketError.WouldBlock)) _progress.Fail(Failure.Of(new SocketException((int)error))!.Text);
    }

    private void Receive(int connection)
    {
        while (true)
        {
            var count = SocketCalls.Receive(_sockets[connection], _buffer, out var error);
            if (error == SocketError.WouldBlock) return;
            if (error != SocketError.Success)
            {
                _progress.Fail(Failure.Of(new SocketException((int)error))!.Text);
                return;
            }

            var answer = _buffer.AsSpan(0, count);
            if (!answer.StartsWith(_options.Prefix) || answer.Length != _options.Prefix.Length + _message.Length)
            {
                Wrong();
                continue;
            }

            var payload = answer[_options.Prefix.Length..];
            var number = BinaryPrimitives.ReadInt64LittleEndian(payload);
            var slot = (int)(number & ((1 << SlotBits) - 1));
            if (slot >= _options.Depth || _numbers[connection][slot] != number) continue;
            if (!payload[HeaderBytes..].SequenceEqual(_pattern.At(number, payload.Length - HeaderBytes)))
            {
                Wrong();
                continue;
            }

            if (_progress.IsMeasuring)
            {
                _progress.Latency.Record((long)(Stopwatch.GetElapsedTime(_times[connection][slot]).TotalSeconds * 1e9));
                _progress.Messages++;
                _progress.Bytes += count;
            }

            Send(connection, slot);
        }
    }

    private void Wrong()
    {
        _progress.Wrong++;
        _progress.Fail("A datagram came back that is not what was sent (see --prefix).");
    }

    private void Sweep(long now)
    {
        var limit = (long)(_options.Loss.TotalSeconds * Stopwatch.Frequency);
        for (var i = 0; i < _sockets.Length; i++)
        {
            for (var slot = 0; slot < _options.Depth; slot++)
            {
                if (now - _times[i][slot] <= limit) continue;
                if (_progress.IsMeasuring) _progress.Lost++;
                Send(i, slot);
            }
        }
    }
}
