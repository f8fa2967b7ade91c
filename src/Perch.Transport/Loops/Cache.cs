using System.Runtime.Intrinsics.X86;

namespace Perch.Transport.Loops;

/// <summary>The processor's cache.</summary>
internal static class Cache
{
    private const int LineBytes = 64;

    /// <summary>
    /// Has an object fetched while something else is done, where the processor has an instruction for it. Nothing follows from a
    /// wrong guess: an object that has moved or is gone costs a line of the cache.
    /// </summary>
    /// <param name="target">The object; null is none.</param>
    /// <param name="bytes">How much of it, from its start.</param>
    public static unsafe void Prefetch(object? target, int bytes)
    {
        if (!Sse.IsSupported || target is null) return;
#pragma warning disable CS8500 // The address is a hint, and is not read from.
        var start = (byte*)*(nint*)&target;
#pragma warning restore CS8500
        for (var at = 0; at < bytes; at += LineBytes) Sse.Prefetch0(start + at);
    }
}
