namespace Perch.Diagnostics;

/// <summary>The descriptors that are left for peers. A service of the host; a protocol asks it before it opens files or sockets for a peer.</summary>
public interface IDescriptorBudget
{
    /// <summary>Takes descriptors before they are opened. Returns at once.</summary>
    /// <param name="count">The maximum number that will be open at once, at least 1.</param>
    /// <param name="claim">What was taken; return it after the descriptors were closed.</param>
    /// <returns>False if too few are left: the request of the peer has to be refused.</returns>
    bool TryTake(int count, out DescriptorClaim claim);

    /// <summary>Returns descriptors after they were closed.</summary>
    /// <param name="claim">From <see cref="TryTake"/>; each is returned once.</param>
    void Return(DescriptorClaim claim);
}
