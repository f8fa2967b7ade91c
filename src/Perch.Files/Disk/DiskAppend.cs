using System.Buffers;
using System.Threading.Tasks.Sources;

namespace Perch.Files.Disk;

/// <summary>Bytes on their way into an upload: each of its lanes does its part. Used again by its owner when it is done.</summary>
internal sealed class DiskAppend(int lanes) : IValueTaskSource
{
    // Whoever waits receives what comes next, on the disk's thread: to wake another one for it costs more.
    private ManualResetValueTaskSourceCore<bool> _result;
    private Exception? _fault;
    private int _left;

    public ReadOnlySequence<byte> Bytes { get; private set; }

    public ValueTask Begin(in ReadOnlySequence<byte> bytes)
    {
        if (Volatile.Read(ref _left) > 0) throw new InvalidOperationException("The append before it is still under way.");
        _result.Reset();
        (Bytes, _fault, _left) = (bytes, null, lanes);
        return new(this, _result.Version);
    }

    /// <summary>A lane is done with it.</summary>
    public void Done(Exception? fault)
    {
        if (fault is not null) Interlocked.CompareExchange(ref _fault, fault, null);
        if (Interlocked.Decrement(ref _left) > 0) return;
        Bytes = default;
        if (_fault is null) _result.SetResult(true);
        else _result.SetException(_fault);
    }

    void IValueTaskSource.GetResult(short token) => _result.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _result.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _result.OnCompleted(continuation, state, token, flags);
}
