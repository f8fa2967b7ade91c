namespace Perch.Transport;

/// <summary>
/// How much a read hands out at once. What is worth a hop to another thread for a block of 64 KiB, such as a write to the disk, is
/// worth less than half the time for four of them.
/// </summary>
public interface IReadSizeFeature
{
    /// <summary>
    /// A read goes on to receive what is there already until it has so many bytes; it never waits for them. It bounds, but for
    /// one block, what a reader that consumes all holds of memory. Default 0: what one system call gives, 64 KiB at most.
    /// </summary>
    int ReadBytes { get; set; }
}
