using System.Runtime.InteropServices;

namespace Perch.Transport.Connections;

/// <summary>
/// A descriptor. Counts the system calls that are under way on it, so that it is closed behind the last of them: its number
/// may be another connection's at once. A mutable struct: kept in a field, never copied.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct DescriptorUse(int descriptor)
{
    private const int Closing = int.MinValue;

    private int _state;

    /// <summary>The number, only for the caller that <see cref="End"/> or <see cref="Close"/> has returned true to.</summary>
    public readonly int DescriptorToClose => descriptor;

    public readonly bool IsClosing => Volatile.Read(in _state) < 0;

    /// <param name="number">The number for one system call, which <see cref="End"/> follows; -1 if it is closed.</param>
    /// <returns>False if it is closed, or about to be.</returns>
    public bool TryBegin(out int number)
    {
        number = descriptor;
        var state = Volatile.Read(ref _state);
        while (state >= 0)
        {
            var seen = Interlocked.CompareExchange(ref _state, state + 1, state);
            if (seen == state) return true;
            state = seen;
        }

        number = -1;
        return false;
    }

    /// <returns>Whether the caller is the one who has to close it.</returns>
    public bool End() => Interlocked.Decrement(ref _state) == Closing;

    /// <summary>No use begins any more.</summary>
    /// <returns>Whether the caller is the one who has to close it.</returns>
    public bool Close() => Interlocked.Or(ref _state, Closing) == 0;
}
