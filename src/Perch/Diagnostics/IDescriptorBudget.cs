namespace Perch.Diagnostics;

/// <summary>The descriptors that are left for peers. A service of the host; a protocol asks it before it opens files or sockets for a peer.</summary>
public interface IDescriptorBudget
{
    /// <summary>Takes descriptors before they are opened. Returns at once.</summary>
    /// <param name="count">How many, at least 1.</param>
    /// <returns>False if too few are left: the request of the peer has to be refused.</returns>
    bool TryTake(int count);

    /// <summary>Returns descriptors after they were closed.</summary>
    /// <param name="count">How many of those that were taken.</param>
    void Return(int count);
}
