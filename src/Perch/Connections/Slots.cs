namespace Perch.Connections;

/// <summary>A counter that never passes its cap, not even for a moment.</summary>
internal static class Slots
{
    public static bool TryTake(ref int taken, int cap)
    {
        var current = Volatile.Read(ref taken);
        while (current < cap)
        {
            var seen = Interlocked.CompareExchange(ref taken, current + 1, current);
            if (seen == current) return true;
            current = seen;
        }

        return false;
    }
}
