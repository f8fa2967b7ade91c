using Perch.Transport.Timers;

namespace Perch.Transport.Loops;

/// <summary>Reminds a source by its key, so that a source that is gone by then is not kept in memory.</summary>
internal sealed class Reminder(Loop loop) : WheelTimer(loop.Timers)
{
    public ulong Key { get; set; }

    protected internal override void OnDue() => loop.RunReminder(this);
}
