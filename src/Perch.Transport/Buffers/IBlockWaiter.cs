namespace Perch.Transport.Buffers;

/// <summary>A reader that waits until it may rent a block.</summary>
internal interface IBlockWaiter
{
    /// <summary>Called once for each wait, on any thread.</summary>
    void OnBlocksFree();
}
