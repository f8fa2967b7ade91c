using Perch.Wire.Files;

namespace Perch.Files;

/// <summary>
/// Where files are kept. A file is visible only when it is whole and its hash was right, and stays as it was for who reads it
/// while a newer one takes its name. Every member may be called at any time, beside all others.
/// </summary>
internal interface IFileStore : IAsyncDisposable
{
    /// <summary>What it holds, as far as is known without asking.</summary>
    FileTotals Totals { get; }

    /// <summary>The limits that are reached.</summary>
    FileLimits Limits { get; }

    /// <summary>Makes the store ready, and clean where it was left by a crash. Called again after it failed.</summary>
    /// <exception cref="FileStoreException">It cannot be used now.</exception>
    Task OpenAsync(CancellationToken cancellationToken);

    /// <summary>Finds out whether an upload would work now, without leaving anything.</summary>
    /// <exception cref="FileStoreException">It would not.</exception>
    Task ProbeAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Begins an upload, or goes on with the unfinished one of this name where the offset is above 0: that takes it over from
    /// whoever writes it still, and drops what it has behind the offset. Several uploads of a name may be on their way;
    /// the one that is completed last keeps the name.
    /// </summary>
    /// <exception cref="FileStoreException">
    /// <c>quota</c>, <c>full</c>, <c>conflict</c>; <c>exists</c>, where only a new name is wanted; <c>offset</c>, where the unfinished upload has fewer bytes, or cannot be
    /// cut there, or the request wants exactly its length; <c>precondition</c>, <c>unsupported</c> (see <see cref="FileUploadRequest.Condition"/>); <c>unavailable</c>.
    /// </exception>
    Task<IFileUpload> BeginAsync(FileUploadRequest request, CancellationToken cancellationToken);

    /// <summary>The file as it is now; null where there is none. To be disposed.</summary>
    /// <exception cref="FileStoreException"><c>corrupt</c>, <c>unavailable</c>.</exception>
    Task<IFileSnapshot?> OpenReadAsync(FileName name, CancellationToken cancellationToken);

    /// <summary>What is known of a name.</summary>
    Task<FileStatus> StatAsync(FileName name, CancellationToken cancellationToken);

    /// <summary>A page of the files in the order of their names (<see cref="FileName.CompareTo"/>).</summary>
    /// <param name="prefix">Only names that begin so.</param>
    /// <param name="after">Only names behind this text.</param>
    /// <param name="limit">At most so many: the memory that a page takes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Fewer than the limit only where there are no more.</returns>
    Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, string after, int limit, CancellationToken cancellationToken);

    /// <summary>Deletes the file and the unfinished upload of this name, if nobody writes that.</summary>
    /// <param name="name">The name.</param>
    /// <param name="condition">The condition, evaluated in one step with the deletion of the file; null for none.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether there was one.</returns>
    /// <exception cref="FileStoreException"><c>precondition</c>: nothing was deleted; <c>unsupported</c>: the condition cannot be evaluated in one step; <c>unavailable</c>.</exception>
    Task<bool> DeleteAsync(FileName name, FileCondition? condition, CancellationToken cancellationToken);

    /// <inheritdoc cref="DeleteAsync(FileName, FileCondition?, CancellationToken)"/>
    Task<bool> DeleteAsync(FileName name, CancellationToken cancellationToken) => DeleteAsync(name, condition: null, cancellationToken);

    /// <summary>Deletes unfinished uploads that nobody has written for too long.</summary>
    /// <returns>How many.</returns>
    Task<int> TrimAsync(CancellationToken cancellationToken);

    /// <summary>Reads everything and compares it with its hash. Changes nothing, and does not need the store to be open.</summary>
    IAsyncEnumerable<FileFinding> VerifyAsync(CancellationToken cancellationToken);
}
