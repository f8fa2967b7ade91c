using System.Runtime.InteropServices;

namespace Perch.Diagnostics;

/// <summary>Descriptors that a protocol has taken from an <see cref="IDescriptorBudget"/>.</summary>
/// <param name="Count">The maximum number that may be open.</param>
/// <param name="Recount">The number of the recount after which they were taken.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct DescriptorClaim(int Count, long Recount);
