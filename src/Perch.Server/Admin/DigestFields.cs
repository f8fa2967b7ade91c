using System.Text.RegularExpressions;

namespace Perch.Server.Admin;

/// <summary>
/// The SHA-256 that a client expects (RFC 9530): <c>Repr-Digest</c> of the whole file, and <c>Content-Digest</c> of the body, which is used
/// if the body is the whole file. Other algorithms are ignored.
/// </summary>
internal static partial class DigestFields
{
    private const string Algorithm = "sha-256";
    private const int HashBytes = 32;

    /// <param name="request">The request.</param>
    /// <param name="isWhole">Whether the body is the whole file.</param>
    /// <param name="sha256">The hash in lower-case hexadecimal digits; null if none is expected.</param>
    /// <param name="fault">The reason, and the cure; null if all is well.</param>
    public static bool TryRead(HttpRequest request, bool isWhole, out string? sha256, out string? fault)
    {
        string? ofBody = null;
        if (!TryRead(request.Headers, "Repr-Digest", out sha256, out fault))
            return false;
        if (isWhole && !TryRead(request.Headers, "Content-Digest", out ofBody, out fault))
            return false;
        if (sha256 is not null && ofBody is not null && sha256 != ofBody)
            fault = "Repr-Digest and Content-Digest differ, and the body is the whole file.";
        sha256 ??= ofBody;
        return fault is null;
    }

    private static bool TryRead(IHeaderDictionary headers, string name, out string? sha256, out string? fault)
    {
        (sha256, fault) = (null, null);
        if (!headers.TryGetValue(name, out var values))
            return true;
        var text = values.ToString();
        var (hash, at) = (new byte[HashBytes], 0);
        do
        {
            var member = Member().Match(text, at);
            at += member.Length;
            if (member.Success && !member.Groups["key"].ValueSpan.Equals(Algorithm, StringComparison.OrdinalIgnoreCase))
                continue;
            if (!member.Success || !Convert.TryFromBase64String(member.Groups["value"].Value, hash, out var length) || length != HashBytes)
            {
                fault = $"{name} (RFC 9530) has to be a list such as 'sha-256=:<base64 of 32 bytes>:, sha-512=:<base64>:'.";
                return false;
            }

            // Of two members with one key the last one counts (RFC 9651, section 4.2.2).
            sha256 = Convert.ToHexStringLower(hash);
        }
        while (at < text.Length || text.EndsWith(','));

        return true;
    }

    /// <summary>
    /// A member of a dictionary (RFC 9651, section 3.2) whose value is a byte sequence, with its parameters and the comma after it.
    /// </summary>
    [GeneratedRegex(
        """\G[ \t]*(?<key>[a-zA-Z*][a-zA-Z0-9_.*-]*)=:(?<value>[A-Za-z0-9+/=]*):"""
        + """(;[ ]*[a-z*][a-z0-9_.*-]*(=("([^"\\]|\\.)*"|[^",; \t]+))?)*[ \t]*(,|$)""",
        RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Member();
}
