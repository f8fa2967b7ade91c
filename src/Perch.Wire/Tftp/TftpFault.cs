using System.Runtime.InteropServices;

namespace Perch.Wire.Tftp;

/// <summary>Why a packet cannot be accepted.</summary>
/// <param name="Code">What the peer's program is told.</param>
/// <param name="Text">The same in words: names the rule, never what the peer sent.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TftpFault(TftpErrorCode Code, string Text);
