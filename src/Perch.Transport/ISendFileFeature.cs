using Microsoft.Win32.SafeHandles;

namespace Perch.Transport;

/// <summary>
/// Sends files without their bytes coming into the process (sendfile(2)). A connection has it while its <c>Transport</c> is its own:
/// middleware that puts another there takes it away (TLS), or sets one that does what it does to other bytes.
/// </summary>
public interface ISendFileFeature
{
    /// <summary>
    /// Sends what was written before, and then the file's bytes as far as the system has them in memory; done when it has taken
    /// them. It does not wait for the disk and takes turns with other connections, so it may be called on a loop. What is not in
    /// memory is for the caller to read, elsewhere. No write or flush may be under way meanwhile.
    /// </summary>
    /// <param name="file">A regular file that can be read, of the process's own user; its own position does not move.</param>
    /// <param name="offset">Where to begin.</param>
    /// <param name="length">How many bytes; their range is mapped meanwhile.</param>
    /// <param name="cancellationToken">Ends the wait; part of the file may be sent.</param>
    /// <returns>How many bytes were sent: fewer than asked for, or 0, where more are not in memory, the file ends before, or nobody reads any more.</returns>
    /// <exception cref="IOException">The file cannot be read, or not be sent this way.</exception>
    Task<long> SendFileAsync(SafeFileHandle file, long offset, long length, CancellationToken cancellationToken = default);
}
