using System.Numerics;

namespace Perch.Transport.Timers;

/// <summary>
/// Timers in steps of 10 ms, for times that a sweep of one second is too coarse for: quiet times, rates, retransmissions. Starting
/// and cancelling a timer takes constant time and allocates nothing. While no timer is pending, the wheel costs nothing.
/// </summary>
/// <remarks>
/// The wheel is hierarchical: level 0 has 64 slots of one step, and a slot of each further level covers all slots of the level
/// below it. A timer is on the level of the highest bit in which its step differs from the current step, and moves down as its
/// time comes nearer: at most five times, so that the thread of the wheel sleeps while all timers are far away.
/// </remarks>
public sealed class TimerWheel
{
    private const int StepsPerSecond = 100;
    private const int BitsPerLevel = 6;
    private const int SlotsPerLevel = 1 << BitsPerLevel;
    private const int Levels = 6;
    private const int DueList = Levels * SlotsPerLevel;

    /// <summary>The last step of the wheel, about 21 years after its first.</summary>
    private const long MaxStep = (1L << (BitsPerLevel * Levels)) - 1;

    private static readonly TimeSpan MaxDelay = TimeSpan.FromDays(3650);

    private readonly Lock _lock = new();
    private readonly TimeProvider _time;
    private readonly Action _becameEarlier;
    private readonly Action<Exception> _onThrew;
    private readonly long _origin;
    private readonly long _unitsPerStep;
    private readonly double _unitsPerTick;

    /// <summary>
    /// The first timer of each slot, level by level, and of the timers that are due. Each list is a ring in the order of the starts.
    /// </summary>
    private readonly WheelTimer?[] _lists = new WheelTimer?[DueList + 1];

    /// <summary>One bit for each slot of a level that has a timer.</summary>
    private readonly ulong[] _occupied = new ulong[Levels];

    /// <summary>The step that the wheel has reached: every pending timer is due later.</summary>
    private long _step;
    private long _next = long.MaxValue;

    /// <param name="time">The clock.</param>
    /// <param name="becameEarlier">Called, outside of the lock, when <see cref="MillisecondsToNext"/> has become less by a start.</param>
    /// <param name="onThrew">Called when a timer threw.</param>
    internal TimerWheel(TimeProvider time, Action becameEarlier, Action<Exception> onThrew)
    {
        (_time, _becameEarlier, _onThrew) = (time, becameEarlier, onThrew);
        _origin = time.GetTimestamp();
        _unitsPerStep = time.TimestampFrequency / StepsPerSecond;
        _unitsPerTick = time.TimestampFrequency / (double)TimeSpan.TicksPerSecond;
    }

    private long Elapsed => _time.GetTimestamp() - _origin;

    /// <returns>How long the thread of the wheel may sleep, rounded up; <see cref="Timeout.Infinite"/> while no timer is pending.</returns>
    internal int MillisecondsToNext()
    {
        var next = Volatile.Read(ref _next);
        if (next == long.MaxValue)
            return Timeout.Infinite;
        var unitsPerMillisecond = _unitsPerStep * StepsPerSecond / 1000;
        var units = (next * _unitsPerStep) - Elapsed;
        return (int)Math.Clamp((units + unitsPerMillisecond - 1) / unitsPerMillisecond, 0, int.MaxValue);
    }

    /// <summary>Calls the timers that are due, in the order of their steps. On the thread of the wheel.</summary>
    internal void RunDue()
    {
        var next = Volatile.Read(ref _next);
        if (next == long.MaxValue)
            return;
        var now = Elapsed / _unitsPerStep;
        if (now < next)
            return;
        lock (_lock)
            Advance(now);
        while (TakeDue() is { } timer)
        {
            try
            {
                timer.OnDue();
            }
            catch (Exception exception)
            {
                _onThrew(exception);
            }
        }
    }

    internal void Start(WheelTimer timer, TimeSpan delay)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(delay, TimeSpan.Zero);
        var elapsed = Elapsed;
        var units = (long)Math.Ceiling(Math.Min(delay.Ticks, MaxDelay.Ticks) * _unitsPerTick);
        bool isEarlier;
        lock (_lock)
        {
            var before = _next;
            if (timer.List != WheelTimer.NoList)
                Unlink(timer);
            // Nothing is to be caught up with, and the wheel has not been turned meanwhile.
            if (_next == long.MaxValue)
                _step = Math.Max(_step, elapsed / _unitsPerStep);
            timer.DueStep = Math.Clamp((elapsed + units + _unitsPerStep - 1) / _unitsPerStep, _step + 1, MaxStep);
            Place(timer);
            UpdateNext();
            isEarlier = _next < before;
        }

        if (isEarlier)
            _becameEarlier();
    }

    internal bool Cancel(WheelTimer timer)
    {
        lock (_lock)
        {
            if (timer.List == WheelTimer.NoList)
                return false;
            Unlink(timer);
            UpdateNext();
            return true;
        }
    }

    /// <summary>Moves the timers that are due up to a step to the list of them.</summary>
    private void Advance(long now)
    {
        while (FindNext() is var (list, step) && step <= now)
        {
            _step = step;
            while (_lists[list] is { } timer)
            {
                Unlink(timer);
                if (timer.DueStep <= step)
                    Append(timer, DueList);
                else
                    Place(timer);
            }
        }

        _step = Math.Max(_step, now);
        UpdateNext();
    }

    private WheelTimer? TakeDue()
    {
        lock (_lock)
        {
            var timer = _lists[DueList];
            if (timer is not null)
                Unlink(timer);
            return timer;
        }
    }

    private void UpdateNext() => Volatile.Write(ref _next, FindNext().Step);

    /// <returns>The list that is looked at next, and when: the slots of a lower level come before those of a higher one.</returns>
    private (int List, long Step) FindNext()
    {
        for (var level = 0; level < Levels; level++)
        {
            if (_occupied[level] == 0)
                continue;
            var slot = BitOperations.TrailingZeroCount(_occupied[level]);
            var shift = level * BitsPerLevel;
            return ((level * SlotsPerLevel) + slot, ((_step >> (shift + BitsPerLevel) << BitsPerLevel) | (uint)slot) << shift);
        }

        return (DueList, long.MaxValue);
    }

    private void Place(WheelTimer timer)
    {
        var level = BitOperations.Log2((ulong)(_step ^ timer.DueStep)) / BitsPerLevel;
        var slot = (int)(timer.DueStep >> (level * BitsPerLevel)) & (SlotsPerLevel - 1);
        _occupied[level] |= 1UL << slot;
        Append(timer, (level * SlotsPerLevel) + slot);
    }

    private void Append(WheelTimer timer, int list)
    {
        timer.List = list;
        if (_lists[list] is not { } first)
        {
            (timer.Next, timer.Previous) = (timer, timer);
            _lists[list] = timer;
            return;
        }

        var last = first.Previous!;
        (timer.Previous, timer.Next) = (last, first);
        (last.Next, first.Previous) = (timer, timer);
    }

    private void Unlink(WheelTimer timer)
    {
        var list = timer.List;
        if (timer.Next == timer)
        {
            _lists[list] = null;
            if (list != DueList)
                _occupied[list / SlotsPerLevel] &= ~(1UL << (list % SlotsPerLevel));
        }
        else
        {
            (timer.Previous!.Next, timer.Next!.Previous) = (timer.Next, timer.Previous);
            if (_lists[list] == timer)
                _lists[list] = timer.Next;
        }

        (timer.List, timer.Next, timer.Previous) = (WheelTimer.NoList, null, null);
    }
}
