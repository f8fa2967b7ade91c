using Perch.Transport.Timers;

namespace Perch.Transport.Loops;

/// <summary>Leaves the free blocks of a loop to the garbage collector, on the loop's thread.</summary>
/// <remarks>Blocks are pinned, so a free block that is kept keeps the memory of all blocks that were around it.</remarks>
internal sealed class BlockTrim(Loop loop) : WheelTimer(loop.Timers)
{
    protected internal override void OnDue() => loop.Blocks.Trim();
}
