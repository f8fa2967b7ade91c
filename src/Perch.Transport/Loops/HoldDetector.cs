namespace Perch.Transport.Loops;

/// <summary>Tells from looks at a loop, one after the other, that it is held: the same turn is still being served after so many of them.</summary>
/// <param name="ticks">How many looks after the first one.</param>
internal sealed class HoldDetector(int ticks)
{
    private long _turn = -1;
    private int _seen;

    /// <summary>Whether the loop has served anything since the last look.</summary>
    public bool HasTurned(long turn) => turn != _turn;

    /// <returns>Whether it is held; true once for each turn.</returns>
    public bool Sees(long turn, bool isServing)
    {
        if (turn != _turn || !isServing)
        {
            (_turn, _seen) = (turn, 0);
            return false;
        }

        // Past the one that counts it stays, so that a hold of an hour is one.
        return _seen <= ticks && ++_seen == ticks;
    }
}
