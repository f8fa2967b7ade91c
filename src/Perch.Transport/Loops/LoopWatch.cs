using Microsoft.Extensions.Logging;

namespace Perch.Transport.Loops;

/// <summary>
/// A thread that looks at what the loops serve, forty times a second, and finds the continuations that do not come to an
/// end. It sleeps while the loops do, and the first one that has something to serve wakes it.
/// </summary>
/// <remarks>
/// It counts its own looks and not the time: where the whole process stood still, no handler is to blame. A hold of 125 ms
/// is always seen, one of less than 100 ms never.
/// </remarks>
internal sealed partial class LoopWatch : IDisposable
{
    /// <summary>What one continuation may take.</summary>
    public const int HoldMilliseconds = TickMilliseconds * TicksOfHold;

    private const int TickMilliseconds = 25;
    private const int TicksOfHold = 4;

    /// <summary>After so many without anything to see it sleeps.</summary>
    private const int QuietTicks = 20;

    private readonly ILogger _logger;
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly Thread _thread;
    private (Loop Loop, HoldDetector Detector)[] _loops = [];
    private int _isAsleep;
    private volatile bool _isEnding;

    public LoopWatch(ILogger logger)
    {
        _logger = logger;
        _thread = new(Run) { IsBackground = true, Name = "Perch loop watch" };
    }

    /// <summary>Whether a loop that begins to serve has to <see cref="Wake"/> it.</summary>
    public bool IsAsleep => Volatile.Read(ref _isAsleep) != 0;

    /// <summary>Begins; called once.</summary>
    public void Start(IEnumerable<Loop> loops)
    {
        _loops = [.. loops.Select(loop => (loop, new HoldDetector(TicksOfHold)))];
        _thread.UnsafeStart();
    }

    public void Wake()
    {
        if (Interlocked.Exchange(ref _isAsleep, 0) != 0) _wake.Set();
    }

    /// <summary>Ends the thread; after the loops, which wake it.</summary>
    public void Dispose()
    {
        _isEnding = true;
        _wake.Set();
        if (_thread.IsAlive) _thread.Join();
        // A loop that is still at its last turn does not wake it any more.
        Volatile.Write(ref _isAsleep, 0);
        _wake.Dispose();
    }

    private void Run()
    {
        var quiet = 0;
        while (!_isEnding)
        {
            quiet = Look() ? 0 : quiet + 1;
            if (quiet < QuietTicks)
            {
                _wake.WaitOne(TickMilliseconds);
                continue;
            }

            Interlocked.Exchange(ref _isAsleep, 1);
            // A loop writes what it serves, and then looks whether the watch sleeps, without a fence of its own: this is the fence of both.
            Interlocked.MemoryBarrierProcessWide();
            if (Look()) Interlocked.Exchange(ref _isAsleep, 0);
            else if (!_isEnding) _wake.WaitOne();
            quiet = 0;
        }
    }

    /// <returns>Whether anything was served since the last look.</returns>
    private bool Look()
    {
        var isBusy = false;
        foreach (var (loop, detector) in _loops)
        {
            var turn = loop.Turn;
            var source = loop.Serving;
            isBusy |= source is not null || detector.HasTurned(turn);
            if (!detector.Sees(turn, source is not null)) continue;
            try
            {
                source!.Holds.Add();
            }
            catch (Exception exception)
            {
                Log.Threw(_logger, exception);
            }
        }

        return isBusy;
    }

    private static partial class Log
    {
        [LoggerMessage(1103, LogLevel.Error, "Who is told of held loops threw", EventName = "LoopHeldCallbackThrew")]
        public static partial void Threw(ILogger logger, Exception exception);
    }
}
