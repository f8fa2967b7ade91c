using Microsoft.Net.Http.Headers;

namespace Perch.Server.Admin;

/// <summary>The bytes of a file that a <c>GET</c> asks for (RFC 9110, section 14.2).</summary>
/// <param name="Offset">The first byte's place.</param>
/// <param name="Length">Number of bytes; 0 if the file does not have the range (416).</param>
internal sealed record ByteRange(long Offset, long Length)
{
    /// <param name="request">The request.</param>
    /// <param name="total">Bytes of the file.</param>
    /// <returns>
    /// Null if the whole file is sent: without the header, with another unit than bytes, with several ranges, and with a malformed value.
    /// </returns>
    public static ByteRange? Read(HttpRequest request, long total)
    {
        if (!HttpMethods.IsGet(request.Method) || !RangeHeaderValue.TryParse(request.Headers.Range.ToString(), out var header)
            || !header.Unit.Equals("bytes", StringComparison.OrdinalIgnoreCase) || header.Ranges.Count != 1)
            return null;
        var range = header.Ranges.First();
        if (range.From is { } from)
            return new(from, Math.Max(0, Math.Min(range.To ?? long.MaxValue, total - 1) - from + 1));
        var last = Math.Min(range.To!.Value, total);
        // An empty file has the last n bytes of itself, and no Content-Range that says so.
        return total == 0 && range.To > 0 ? null : new(total - last, last);
    }
}
