using Microsoft.Extensions.Time.Testing;

namespace Perch.Tests.Shared;

/// <summary>
/// A clock whose wall clock can be set while its monotonic clock goes on. <see cref="FakeTimeProvider.AdjustTime"/> of the package moves
/// both.
/// </summary>
internal sealed class JumpingTime : FakeTimeProvider
{
    private TimeSpan _jumps;

    public override long GetTimestamp() => base.GetTimestamp() - _jumps.Ticks;

    /// <summary>Sets the wall clock forward, or back if the span is negative.</summary>
    public void Jump(TimeSpan by)
    {
        _jumps += by;
        AdjustTime(GetUtcNow() + by);
    }
}
