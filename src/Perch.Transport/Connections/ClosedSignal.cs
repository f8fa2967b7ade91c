namespace Perch.Transport.Connections;

/// <summary>
/// The token of <c>ConnectionClosed</c>, whose source is made when it is first asked for. It has no timer and no handle: there is
/// nothing in it to dispose of. A mutable struct: kept in a field, never copied.
/// </summary>
internal struct ClosedSignal
{
    /// <summary>In the place of a source where nobody had asked until the close.</summary>
    private static readonly CancellationTokenSource Told = Cancelled();

    private CancellationTokenSource? _source;

    public CancellationToken Token
    {
        get
        {
            if (Volatile.Read(ref _source) is { } known) return known.Token;
            var made = new CancellationTokenSource();
            return (Interlocked.CompareExchange(ref _source, made, null) ?? made).Token;
        }
    }

    /// <summary>It is closed, for all who ask from now on.</summary>
    /// <returns>Whether somebody has asked who is not told yet: then <see cref="Fire"/> is to be called.</returns>
    public bool Close() => Interlocked.CompareExchange(ref _source, Told, null) is { IsCancellationRequested: false };

    /// <summary>Runs the callbacks of those who wait for the close; a second call does nothing.</summary>
    /// <exception cref="AggregateException">Callbacks threw.</exception>
    public readonly void Fire() => _source!.Cancel();

    private static CancellationTokenSource Cancelled()
    {
        var source = new CancellationTokenSource();
        source.Cancel();
        return source;
    }
}
