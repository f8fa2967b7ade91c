using Microsoft.Win32.SafeHandles;
using Perch.Linux;

namespace Perch.Transport.Connections;

/// <summary>
/// Tells which bytes of a file the system has in memory (mincore(2)): sendfile(2) would wait for the disk where it has not.
/// It maps the file's range, and never touches the mapping.
/// </summary>
/// <remarks>A process that neither owns a file nor may write it is told that all of it is in memory: the system does not say.</remarks>
internal sealed unsafe class ResidentPages : IDisposable
{
    /// <summary>What one look is for: 512 KiB, or 32 pages where they are larger than 16 KiB.</summary>
    private static readonly int MaxPages = Math.Max(512 * 1024 / Environment.SystemPageSize, 32);

    private readonly nint _address;
    private readonly long _start;
    private readonly long _end;

    private ResidentPages(nint address, long start, long end) => (_address, _start, _end) = (address, start, end);

    /// <returns>Null where the file cannot be mapped: nobody can tell then.</returns>
    public static ResidentPages? TryMap(SafeFileHandle file, long offset, long length)
    {
        var (start, end) = (offset & -Environment.SystemPageSize, offset + length);
        var address = Libc.Map(0, (nuint)(end - start), Libc.ReadOnlyMapping, Libc.SharedMapping, file, start);
        return address == Libc.MapFailed ? null : new(address, start, end);
    }

    /// <returns>How many bytes from there on are in memory, as far as one look goes; 0 where the first is not, or behind the file's end.</returns>
    public long Count(long offset)
    {
        var first = (offset - _start) / Environment.SystemPageSize;
        var pages = (int)Math.Min(MaxPages, ((_end - _start - 1) / Environment.SystemPageSize) + 1 - first);
        var states = stackalloc byte[pages];
        var from = first * Environment.SystemPageSize;
        if (Libc.FindResident(_address + (nint)from, (nuint)pages * (nuint)Environment.SystemPageSize, states) != 0) return 0;
        var resident = 0;
        // The other bits are not for us.
        while (resident < pages && (states[resident] & 1) != 0) resident++;
        return Math.Max(0, Math.Min(_start + from + ((long)resident * Environment.SystemPageSize), _end) - offset);
    }

    public void Dispose() => _ = Libc.Unmap(_address, (nuint)(_end - _start));
}
