using FsCheck.Xunit;
using Microsoft.Extensions.Time.Testing;
using Perch.Transport.Timers;

namespace Perch.Transport.Tests.Timers;

public sealed class TimerWheelTests
{
    private const int StepMilliseconds = 10;

    private readonly FakeTimeProvider _time = new();
    private readonly List<string> _due = [];
    private readonly List<Exception> _thrown = [];
    private readonly TimerWheel _wheel;
    private int _earlier;

    public TimerWheelTests() => _wheel = new(_time, () => _earlier++, _thrown.Add);

    [Fact]
    public void RunDue_SeveralTimers_AreCalledInTheOrderOfTheirTimes()
    {
        Timer("c").Start(Milliseconds(700));
        Timer("a").Start(Milliseconds(10));
        Timer("d").Start(Milliseconds(50_000));
        Timer("b1").Start(Milliseconds(650));
        Timer("b2").Start(Milliseconds(650));
        Pass(60_000);
        Assert.Equal(["a", "b1", "b2", "c", "d"], _due);
    }

    [Theory]
    [InlineData(0, 10)]
    [InlineData(1, 10)]
    [InlineData(10, 10)]
    [InlineData(11, 20)]
    [InlineData(100, 100)]
    [InlineData(640, 640)]
    [InlineData(12_345, 12_350)]
    public void Start_OnAStep_IsDueAtTheNextStepAfterTheDelay(int delay, int due)
    {
        Timer("a").Start(Milliseconds(delay));
        Pass(due - 1);
        Assert.Empty(_due);
        Pass(1);
        Assert.Single(_due);
    }

    [Fact]
    public void Start_BetweenTwoSteps_IsNotDueBeforeTheDelay()
    {
        Pass(7);
        Timer("a").Start(Milliseconds(100));
        Pass(100);
        Assert.Empty(_due);
        Pass(3);
        Assert.Single(_due);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(60)]
    [InlineData(24 * 60)]
    [InlineData(400 * 24 * 60)]
    [InlineData(20 * 365 * 24 * 60)]
    public void Start_LongDelay_WakesTheThreadAtMostOnceForEachLevel(int minutes)
    {
        // The wheel has turned before, so that the delay crosses the ends of slots.
        Pass(987_654_321);
        var (started, delay) = (_time.GetUtcNow(), TimeSpan.FromMinutes(minutes));
        Timer("a").Start(delay);
        var wakes = 0;
        for (; _due.Count == 0; wakes++)
            Pass(_wheel.MillisecondsToNext());
        var limit = TimeSpan.FromDays(3650);
        var expected = delay < limit ? delay : limit;
        Assert.InRange(_time.GetUtcNow() - started, expected, expected + Milliseconds(StepMilliseconds));
        // More than 24 days are several sleeps for epoll_wait(2) and for timers of .NET.
        Assert.InRange(wakes, 1, 6 + (int)(expected / Milliseconds(int.MaxValue)));
        Assert.Equal(Timeout.Infinite, _wheel.MillisecondsToNext());
    }

    [Fact]
    public void MillisecondsToNext_NoTimer_IsInfinite()
    {
        Assert.Equal(Timeout.Infinite, _wheel.MillisecondsToNext());
        var timer = Timer("a");
        timer.Start(Milliseconds(100));
        Assert.Equal(100, _wheel.MillisecondsToNext());
        Pass(95);
        Assert.Equal(5, _wheel.MillisecondsToNext());
        timer.Cancel();
        Assert.Equal(Timeout.Infinite, _wheel.MillisecondsToNext());
    }

    [Fact]
    public void Start_BeforeAllOthers_IsReportedToTheThread()
    {
        Timer("a").Start(Milliseconds(100));
        Assert.Equal(1, _earlier);
        Timer("b").Start(Milliseconds(200));
        Timer("c").Start(Milliseconds(100));
        Assert.Equal(1, _earlier);
        Timer("d").Start(Milliseconds(90));
        Assert.Equal(2, _earlier);
    }

    [Fact]
    public void Cancel_Pending_IsNotDue()
    {
        var timer = Timer("a");
        Assert.False(timer.Cancel());
        timer.Start(Milliseconds(50));
        Assert.True(timer.Cancel());
        Assert.False(timer.Cancel());
        Pass(1000);
        Assert.Empty(_due);
        timer.Start(Milliseconds(50));
        Pass(50);
        Assert.Single(_due);
        Assert.False(timer.Cancel());
    }

    [Fact]
    public void Cancel_ByATimerOfTheSameStep_IsNotDue()
    {
        TestTimer? second = null;
        var wasPending = false;
        var first = new TestTimer(_wheel, _ => wasPending = second!.Cancel());
        second = Timer("second");
        first.Start(Milliseconds(50));
        second.Start(Milliseconds(50));
        Timer("third").Start(Milliseconds(50));
        Pass(50);
        Assert.True(wasPending);
        Assert.Equal(["third"], _due);
    }

    [Theory]
    [InlineData(50, 200)]
    [InlineData(5000, 200)]
    public void Start_Pending_CountsFromTheLastStart(int first, int second)
    {
        var timer = Timer("a");
        timer.Start(Milliseconds(first));
        Pass(40);
        timer.Start(Milliseconds(second));
        Pass(second - 1);
        Assert.Empty(_due);
        Pass(1);
        Assert.Single(_due);
        Pass(10_000);
        Assert.Single(_due);
    }

    [Fact]
    public void OnDue_StartsItself_IsDueAgainAndAgain()
    {
        var timer = new TestTimer(_wheel, static timer => timer.Start(TimeSpan.Zero));
        timer.Start(TimeSpan.Zero);
        for (var i = 1; i <= 100; i++)
        {
            Pass(StepMilliseconds);
            Assert.Equal(i, timer.Count);
        }
    }

    [Fact]
    public void OnDue_Throws_IsReportedAndTheOthersAreCalled()
    {
        new TestTimer(_wheel, static _ => throw new InvalidOperationException("a")).Start(Milliseconds(10));
        Timer("b").Start(Milliseconds(10));
        Pass(10);
        Assert.Equal("a", Assert.Single(_thrown).Message);
        Assert.Equal(["b"], _due);
    }

    [Fact]
    public void Start_NegativeDelay_Throws() => Assert.Throws<ArgumentOutOfRangeException>(() => Timer("a").Start(Milliseconds(-1)));

    [Fact]
    public void Start_ManyTimers_EachIsDueOnceWithinAStep()
    {
        const int Timers = 100_000;
        var (random, late, early) = (new Random(1), 0, 0);
        for (var i = 0; i < Timers; i++)
        {
            var delay = random.Next(0, 20_000);
            var due = _time.GetUtcNow() + Milliseconds(delay);
            var timer = new TestTimer(_wheel, _ =>
            {
                _due.Add("");
                early += _time.GetUtcNow() < due ? 1 : 0;
                late += _time.GetUtcNow() > due + Milliseconds(StepMilliseconds) ? 1 : 0;
            });
            timer.Start(Milliseconds(delay));
            if (i % 1000 == 0)
                Pass(StepMilliseconds);
        }

        for (var i = 0; i <= 20_000; i += StepMilliseconds)
            Pass(StepMilliseconds);
        Assert.Equal((Timers, 0, 0), (_due.Count, early, late));
    }

    [Fact]
    public void StartCancelAndOnDue_Again_AllocateNothing()
    {
        var timers = Enumerable.Range(0, 1000).Select(_ => new TestTimer(_wheel, static _ => { })).ToArray();
        Use(timers);
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 10; i++)
            Use(timers);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
        Assert.All(timers, timer => Assert.InRange(timer.Count, 0, 11));
        Assert.Equal(11 * 500, timers.Sum(timer => timer.Count));
    }

    /// <summary>Starts, cancels and passing time against a sorted list.</summary>
    [Property(MaxTest = 500, QuietOnSuccess = true)]
    public void Wheel_AnySequenceOfCalls_DoesWhatASortedListDoes((byte Kind, byte Timer, ushort Amount, byte Shift)[] calls)
    {
        var (time, fired, expected) = (new FakeTimeProvider(), new List<int>(), new List<int>());
        var wheel = new TimerWheel(time, static () => { }, static exception => throw exception);
        var timers = Enumerable.Range(0, 8).Select(i => new TestTimer(wheel, _ => fired.Add(i))).ToArray();
        var pending = new List<(long Due, int Start, int Timer)>();
        var (now, starts) = (0L, 0);
        foreach (var (kind, index, amount, shift) in calls)
        {
            var (timer, milliseconds) = (index % timers.Length, (long)amount << (shift % 12));
            switch (kind % 4)
            {
                case 0 or 1:
                    pending.RemoveAll(entry => entry.Timer == timer);
                    var due = (now + milliseconds + StepMilliseconds - 1) / StepMilliseconds;
                    pending.Add((Math.Max(due, (now / StepMilliseconds) + 1), starts++, timer));
                    timers[timer].Start(TimeSpan.FromMilliseconds(milliseconds));
                    break;
                case 2:
                    Assert.Equal(pending.RemoveAll(entry => entry.Timer == timer) == 1, timers[timer].Cancel());
                    break;
                default:
                    now += milliseconds;
                    time.Advance(TimeSpan.FromMilliseconds(milliseconds));
                    wheel.RunDue();
                    pending.Sort();
                    expected.AddRange(pending.Where(entry => entry.Due <= now / StepMilliseconds).Select(entry => entry.Timer));
                    pending.RemoveAll(entry => entry.Due <= now / StepMilliseconds);
                    break;
            }

            Assert.Equal(expected, fired);
            var next = wheel.MillisecondsToNext();
            if (pending.Count == 0)
                Assert.Equal(Timeout.Infinite, next);
            else
                Assert.InRange(next, 0, Math.Min(int.MaxValue, (pending.Min().Due * StepMilliseconds) - now));
        }
    }

    private static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);

    /// <summary>Half of them are cancelled; the others are due.</summary>
    private void Use(TestTimer[] timers)
    {
        for (var i = 0; i < timers.Length; i++)
            timers[i].Start(TimeSpan.FromTicks(i * 12_345));
        for (var i = 0; i < timers.Length; i += 2)
            timers[i].Cancel();
        _time.Advance(Milliseconds(2000));
        _wheel.RunDue();
    }

    private TestTimer Timer(string name) => new(_wheel, _ => _due.Add(name));

    private void Pass(int milliseconds)
    {
        _time.Advance(Milliseconds(milliseconds));
        _wheel.RunDue();
    }
}
