using System.Diagnostics.CodeAnalysis;
using Microsoft.AspNetCore.Http.Features;
using Perch.Wire.Files;

namespace Perch.Server.Admin;

/// <summary>
/// The name of a file in the target of a request, as the client sent it. Kestrel's decoded path is no use for it: it leaves <c>%2F</c> and
/// invalid UTF-8 as they are, so that two URLs would be one name, and it resolves <c>..</c>.
/// </summary>
internal static class FileTarget
{
    private const string Collection = "files";

    /// <param name="context">A request whose path is <c>/files/</c> and a name.</param>
    /// <param name="name">The name.</param>
    /// <param name="fault">The rule that the target breaks.</param>
    public static bool TryRead(HttpContext context, [NotNullWhen(true)] out FileName? name, [NotNullWhen(false)] out string? fault)
    {
        name = null;
        var path = PathOf(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);
        var slash = path.IndexOf('/');
        if (!TryDecode(slash < 0 ? path : path[..slash], out var first, out fault))
            return false;
        if (!System.Text.Ascii.EqualsIgnoreCase(first, Collection))
        {
            fault = "the path is not normalized: it has to be /files/<name>";
            return false;
        }

        return TryDecode(slash < 0 ? "" : path[(slash + 1)..], out var utf8, out fault) && FileName.TryParse(utf8, out name, out fault);
    }

    /// <summary>The path without its first slash and its query; a target may be a whole URL (RFC 9112, section 3.2.2).</summary>
    private static ReadOnlySpan<char> PathOf(ReadOnlySpan<char> target)
    {
        if (target.IndexOf('?') is var query and >= 0)
            target = target[..query];
        if (target.IndexOf("://", StringComparison.Ordinal) is var scheme and >= 0 && !target.StartsWith('/'))
            target = target[(scheme + 3)..];
        return target[(target.IndexOf('/') + 1)..];
    }

    private static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes, [NotNullWhen(false)] out string? fault)
    {
        (var length, fault, bytes) = (0, null, new byte[text.Length]);
        for (var i = 0; i < text.Length; i++)
        {
            var value = (int)text[i];
            if (value == '%')
            {
                if (i + 2 >= text.Length || !char.IsAsciiHexDigit(text[i + 1]) || !char.IsAsciiHexDigit(text[i + 2]))
                {
                    fault = "a percent sign in a URL has two hexadecimal digits after it: write %25 for the sign itself";
                    return false;
                }

                value = Convert.FromHexString(text.Slice(i + 1, 2))[0];
                i += 2;
                if (value == '/')
                {
                    fault = "%2F is not part of a name: write the slash between two segments as it is";
                    return false;
                }
            }

            if (value > byte.MaxValue)
            {
                fault = "a URL has only ASCII characters";
                return false;
            }

            bytes[length++] = (byte)value;
        }

        Array.Resize(ref bytes, length);
        return true;
    }
}
