using System.Diagnostics.CodeAnalysis;
using Microsoft.Net.Http.Headers;

namespace Perch.Server.Admin;

/// <summary>The part of a file that the body of a <c>PUT</c> is: <c>Content-Range: bytes n-m/len</c> (RFC 9110, section 14.5).</summary>
/// <param name="Offset">The first byte's place in the file.</param>
/// <param name="End">The place behind the last byte.</param>
/// <param name="Length">Bytes of the whole file; null if the body is the whole file and its length is not known.</param>
internal sealed record UploadRange(long Offset, long End, long? Length)
{
    /// <summary>curl sends this for an empty file with <c>-C -</c>.</summary>
    private const string Empty = "bytes 0--1/0";

    private const string Cure = "Content-Range has to be 'bytes n-m/len' in digits, with n <= m < len";

    /// <summary>Whether the body is the whole file.</summary>
    public bool IsWhole => Offset == 0 && IsLast;

    /// <summary>Whether the file is complete with the body.</summary>
    public bool IsLast => Length is null || End == Length;

    /// <param name="request">The request.</param>
    /// <param name="range">The part; the whole file without the header.</param>
    /// <param name="status">400, or 411 if the length of the part is not known.</param>
    /// <param name="fault">The reason, and the cure.</param>
    public static bool TryRead(
        HttpRequest request, [NotNullWhen(true)] out UploadRange? range, out int status, [NotNullWhen(false)] out string? fault)
    {
        (range, status, fault) = (null, StatusCodes.Status400BadRequest, null);
        var header = request.Headers.ContentRange;
        if (header.Count == 0)
        {
            range = new(0, request.ContentLength ?? 0, request.ContentLength);
            return true;
        }

        if (header == Empty && request.ContentLength == 0)
        {
            range = new(0, 0, 0);
            return true;
        }

        if (!ContentRangeHeaderValue.TryParse(header.ToString(), out var parsed)
            || !parsed.Unit.Equals("bytes", StringComparison.OrdinalIgnoreCase)
            || parsed is not { From: { } from, To: { } to, Length: { } length })
        {
            fault = $"{Cure}; '*' is not supported.";
            return false;
        }

        if (request.ContentLength is not { } sent)
        {
            status = StatusCodes.Status411LengthRequired;
            fault = "A request with Content-Range needs Content-Length, so that a part that was cut off is not taken for a whole one.";
            return false;
        }

        range = new(from, to + 1, length);
        if (sent == range.End - from)
            return true;
        fault = $"Content-Range has {range.End - from} bytes and Content-Length {sent}. Send the same number in both.";
        return false;
    }
}
