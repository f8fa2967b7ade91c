using Microsoft.Win32.SafeHandles;

namespace Perch.Files;

/// <summary>A file as it was when it was opened, whatever becomes of its name.</summary>
internal interface IFileSnapshot : IAsyncDisposable
{
    /// <summary>What it is.</summary>
    StoredFile File { get; }

    /// <summary>The open file where it is one of this machine and has these bytes in memory: a transport can send them without copies and without a wait for the disk.</summary>
    /// <returns>Null where they are read instead.</returns>
    SafeFileHandle? FindInMemory(long offset, long length);

    /// <summary>Reads at an offset; a store may be quicker where reads follow each other. One read at a time.</summary>
    /// <returns>How many bytes: 0 only for an empty buffer.</returns>
    /// <exception cref="FileStoreException"><c>unavailable</c>, also where the file is shorter than it was.</exception>
    ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);
}
