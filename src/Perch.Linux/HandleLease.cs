using System.Runtime.InteropServices;

namespace Perch.Linux;

/// <summary>
/// Keeps a handle open while its descriptor's number is in use: after a close the number may belong to another file at once.
/// </summary>
public readonly ref struct HandleLease
{
    private readonly SafeHandle _handle;

    /// <exception cref="ObjectDisposedException">The handle is closed.</exception>
    public HandleLease(SafeHandle handle)
    {
        var isHeld = false;
        handle.DangerousAddRef(ref isHeld);
        _handle = handle;
    }

    /// <summary>The number, until <see cref="Dispose"/>.</summary>
    public int Descriptor => (int)_handle.DangerousGetHandle();

    public void Dispose() => _handle.DangerousRelease();
}
