using System.Runtime.InteropServices;

namespace Perch.Datagrams;

/// <summary>A datagram that a session has received.</summary>
/// <param name="Length">Its bytes in the buffer.</param>
/// <param name="From">
/// Who sent it, and the way back. On a port of the session's own it may be a stranger: anybody can send there.
/// </param>
/// <param name="IsTruncated">It was longer than the buffer; what is there is not to be used.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct DatagramReceived(int Length, ReturnAddress From, bool IsTruncated);
