using Perch.Wire.Files;

namespace Perch.Files;

/// <summary>What an uploader says before the bytes.</summary>
internal sealed record FileUploadRequest(FileName Name)
{
    /// <summary>Bytes of the whole file; null where only the end of the stream tells.</summary>
    public long? Length { get; init; }

    /// <summary>Where in the file the bytes begin: 0 for a new upload, else what an unfinished one has, or less.</summary>
    public long Offset { get; init; }

    /// <summary>Whether any <see cref="Offset"/> above 0 but the durable length of the unfinished upload is refused. Default false: a smaller one goes back.</summary>
    public bool IsOffsetExact { get; init; }

    /// <summary>The hash that the whole file must have, in lower-case digits, or null.</summary>
    public string? Sha256 { get; init; }

    /// <summary>Whether a file of this name refuses it, at the begin and when it is published. Default false: it is replaced.</summary>
    public bool OnlyNew { get; init; }

    /// <summary>
    /// The condition under which the file may be published. The store checks it at the begin, before it changes anything, and again in one
    /// step with the publication. Default null: none.
    /// </summary>
    public FileCondition? Condition { get; init; }

    /// <summary>The endpoint that takes it.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>The uploader's address and port.</summary>
    public string Remote { get; init; } = "";
}
