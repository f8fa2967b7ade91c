using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;
using Perch.Files;

namespace Perch.Server.Admin;

/// <summary>
/// The conditions of a request for a file (RFC 9110, section 13.1). A date that is not one is no condition, as the section says. A list of
/// entity tags that is not one refuses a change, because ignoring it could lose an update; a read goes on as if no tag matched.
/// </summary>
/// <param name="Change">All conditions but the one that only reads have.</param>
/// <param name="ModifiedSince"><c>If-Modified-Since</c>, which counts only without <c>If-None-Match</c>. Null: not given.</param>
internal sealed record RequestConditions(FileCondition Change, DateTimeOffset? ModifiedSince)
{
    private static readonly FileTags NoTags = new(IsAny: false, []);

    /// <summary>The condition of a change; null if there is none.</summary>
    public FileCondition? ForChange => Change == new FileCondition() ? null : Change;

    /// <param name="headers">The headers of the request.</param>
    /// <param name="conditions">The conditions.</param>
    /// <param name="fault">The reason why a change is refused; null if all is well.</param>
    public static bool TryRead(IHeaderDictionary headers, out RequestConditions conditions, out string? fault)
    {
        fault = null;
        var match = Tags(headers.IfMatch, HeaderNames.IfMatch, isStrong: true, ref fault);
        var noneMatch = Tags(headers.IfNoneMatch, HeaderNames.IfNoneMatch, isStrong: false, ref fault);
        conditions = new(
            new() { Match = match, NoneMatch = noneMatch, UnmodifiedSince = Date(headers.IfUnmodifiedSince) },
            Date(headers.IfModifiedSince));
        return fault is null;
    }

    /// <summary>The status that takes the place of the file, in the order of section 13.2.2.</summary>
    /// <returns>412, 304, or null: the file is sent.</returns>
    public int? StatusOf(StoredFile file)
    {
        if (!Change.IsUnchanged(file))
            return StatusCodes.Status412PreconditionFailed;
        var isNotModified = Change.NoneMatch is null ? file.ModifiedSecond <= ModifiedSince : !Change.IsOther(file);
        return isNotModified ? StatusCodes.Status304NotModified : null;
    }

    /// <summary>Whether <c>Range</c> applies (<c>If-Range</c>, section 13.1.5): without the header, or if it names exactly this file.</summary>
    public static bool IsRangeOf(StringValues ifRange, StoredFile file, DateTimeOffset now)
    {
        if (ifRange.Count == 0)
            return true;
        if (EntityTagHeaderValue.TryParse(ifRange.ToString(), out var tag))
            return !tag.IsWeak && tag.Tag == $"\"{file.Sha256}\"";
        // A file that was stored in this second may yet be replaced in it: its date is not a strong validator.
        return Date(ifRange) == file.ModifiedSecond && now - file.ModifiedSecond >= TimeSpan.FromSeconds(1);
    }

    private static DateTimeOffset? Date(StringValues header) =>
        header.Count == 1 && HeaderUtilities.TryParseDate(header.ToString(), out var date) ? date : null;

    private static FileTags? Tags(StringValues header, string name, bool isStrong, ref string? fault)
    {
        if (header.Count == 0)
            return null;
        if (!EntityTagHeaderValue.TryParseStrictList([.. header.OfType<string>()], out var tags))
        {
            fault ??= $"{name} has to be '*' or a list of entity tags in double quotes, as ETag has them.";
            return NoTags;
        }

        var usable = tags.Where(tag => !isStrong || !tag.IsWeak);
        return new(tags.Contains(EntityTagHeaderValue.Any), [.. usable.Select(tag => tag.Tag.ToString().Trim('"'))]);
    }
}
