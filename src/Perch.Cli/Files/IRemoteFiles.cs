using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>
/// One connection to somebody's files. Each protocol of files is one implementation, chosen in <see cref="RemoteFiles"/>; what one
/// cannot do it refuses with a <see cref="FileRefusal"/>. One call at a time.
/// </summary>
internal interface IRemoteFiles : IAsyncDisposable
{
    /// <summary>Whether the server knows hashes, and parts of files to go on with; else each transfer is a whole file, taken as it comes.</summary>
    bool IsResumable { get; }

    /// <returns>What is known of the name; <see cref="RemoteStatus.None"/> where nothing is.</returns>
    Task<RemoteStatus> StatAsync(FileName name, CancellationToken cancellationToken);

    /// <summary>Sends a file from <paramref name="offset"/> on.</summary>
    /// <param name="file">Name, length and hash of the whole file.</param>
    /// <param name="offset">Where the bytes begin.</param>
    /// <param name="content">The bytes from there on; as many as are missing are read.</param>
    /// <param name="meter">Told what was sent.</param>
    /// <param name="cancellationToken">Leaves an upload that can be resumed.</param>
    /// <exception cref="FileRefusal">The server refused it; then this connection is of no use any more.</exception>
    Task PutAsync(LocalFile file, long offset, Stream content, TransferMeter meter, CancellationToken cancellationToken);

    /// <summary>Fetches a file from <paramref name="offset"/> on.</summary>
    /// <param name="name">Which.</param>
    /// <param name="offset">Where the bytes begin.</param>
    /// <param name="accept">Told what comes, before it comes; the stream that it returns takes the bytes, null leaves them.</param>
    /// <param name="meter">Told what came.</param>
    /// <param name="cancellationToken">Leaves the connection of no use.</param>
    Task GetAsync(FileName name, long offset, Func<RemoteStatus, Stream?> accept, TransferMeter meter, CancellationToken cancellationToken);

    /// <returns>A page of names that begin with <paramref name="prefix"/>, behind <paramref name="after"/>; empty at the end.</returns>
    Task<IReadOnlyList<ListedFile>> ListAsync(string prefix, string after, CancellationToken cancellationToken);

    /// <exception cref="FileRefusal"><c>not-found</c> and others.</exception>
    Task DeleteAsync(FileName name, CancellationToken cancellationToken);
}
