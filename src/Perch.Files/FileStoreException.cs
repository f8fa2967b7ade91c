namespace Perch.Files;

/// <summary>The store did not do what was asked of it.</summary>
/// <param name="code">The code for the peer: one of the codes of the README.</param>
/// <param name="text">The same in words, safe to send to the peer.</param>
/// <param name="detail">The text for the operator's log and for readiness; null if it is the text for the peer.</param>
/// <param name="inner">What the system said.</param>
internal sealed class FileStoreException(string code, string text, string? detail = null, Exception? inner = null) : Exception(detail ?? text, inner)
{
    public string Code { get; } = code;

    public string Text { get; } = text;

    /// <summary>The store itself is in trouble, and not what the peer asked for.</summary>
    public bool IsStoreFault => !IsOfRequest && (Code is "unavailable" or "full" or "corrupt");

    /// <summary>Only this request was too large: other uploads are not affected if a peer announces more than the disk has.</summary>
    public bool IsOfRequest { get; init; }

    /// <summary>The caller stopped waiting; the request may still be carried out.</summary>
    public bool IsLate { get; init; }

    /// <summary>The limit that is reached, if dropping idle uploads would make room.</summary>
    public FileShortage? Shortage { get; init; }

    public static FileStoreException Unavailable(string detail, Exception? inner = null, bool isLate = false) =>
        new("unavailable", "the store cannot be used now, try again", detail, inner) { IsLate = isLate };

    /// <summary>Too many transfers are in progress. The store itself is sound.</summary>
    public static FileStoreException Busy() =>
        new("unavailable", "too many transfers are in progress, try again", "too few descriptors are left for another transfer") { IsOfRequest = true };

    public static FileStoreException Full(string detail, Exception? inner = null, FileShortage? shortage = null) =>
        new("full", "there is no space left, try again later", detail, inner) { Shortage = shortage };

    public static FileStoreException NothingToResume() => new("offset", "there is no unfinished upload of this name: it was dropped, or never begun. Begin at 0");

    public static FileStoreException Exists() => new("exists", "a file has this name");

    /// <summary>With the code <c>offset</c>: the durable length of the unfinished upload.</summary>
    public long DurableBytes { get; private init; }

    public static FileStoreException Precondition() =>
        new("precondition", "the file that has this name now does not meet the conditions of the request; nothing was changed");

    public static FileStoreException Unsupported(string condition) =>
        new("unsupported", $"the store cannot check {condition} in one step with the change; send the request without the condition");

    public static FileStoreException Offset(long have) =>
        new("offset", $"{have} bytes are there, go on from there or from 0") { DurableBytes = have };
}
