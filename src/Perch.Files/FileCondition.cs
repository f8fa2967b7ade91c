namespace Perch.Files;

/// <summary>
/// The condition of a change (RFC 9110, section 13.1). The store evaluates it against the file that has the name at the moment of
/// the change, in one step with the change.
/// </summary>
internal sealed record FileCondition
{
    /// <summary><c>If-Match</c>: the file must be one of these. Null: not given.</summary>
    public FileTags? Match { get; init; }

    /// <summary>
    /// <c>If-Unmodified-Since</c>, in whole seconds: the file must not be newer. Ignored with <see cref="Match"/>. Null: not given.
    /// </summary>
    public DateTimeOffset? UnmodifiedSince { get; init; }

    /// <summary><c>If-None-Match</c>: the file must be none of these. Null: not given.</summary>
    public FileTags? NoneMatch { get; init; }

    /// <summary>Evaluates all three, in the order of section 13.2.2.</summary>
    /// <param name="file">The file that has the name; null if the name is free.</param>
    public bool IsMet(StoredFile? file) => IsUnchanged(file) && IsOther(file);

    /// <summary><c>If-Match</c>, or else <c>If-Unmodified-Since</c>, which does not apply without a file.</summary>
    public bool IsUnchanged(StoredFile? file) =>
        Match is not null ? Match.Contains(file)
        : UnmodifiedSince is not { } since || file is null || file.ModifiedSecond <= since;

    /// <summary><c>If-None-Match</c>.</summary>
    public bool IsOther(StoredFile? file) => NoneMatch?.Contains(file) != true;
}
