using Perch.Transport;

namespace Perch.Diagnostics;

/// <summary>Accepts while both memory and descriptors are left.</summary>
internal sealed class AcceptGates(DescriptorBudget descriptors, MemoryBudget memory) : IAcceptGate
{
    public string Reason => memory.IsRefusing
        ? "peers occupy more memory than Perch:MemoryBudget. Raise it with the memory of the container, or lower MaxMessageBytes or MaxConnections"
        : descriptors.Reason;

    public bool TryEnter() => memory.MayAccept() && descriptors.TryEnter();

    public void Leave() => descriptors.Leave();
}
