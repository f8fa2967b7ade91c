namespace Perch.Records;

/// <summary>One row of the table <c>logs</c>.</summary>
/// <param name="Id">Ascending in the order of commits; never used again.</param>
/// <param name="ReceivedAt">When its last byte was read, to the microsecond, in UTC.</param>
/// <param name="Endpoint">The endpoint's name.</param>
/// <param name="Remote">The peer's address and port, or <c>unix</c>.</param>
/// <param name="Data">The message as text; where it is not valid UTF-8 or holds NUL, each offending sequence is U+FFFD.</param>
/// <param name="Raw">The exact bytes where <paramref name="Data"/> could not hold them, else null.</param>
internal sealed record StoredRecord(long Id, DateTimeOffset ReceivedAt, string Endpoint, string Remote, string Data, byte[]? Raw);

/// <summary>Which records to read.</summary>
internal sealed record RecordQuery
{
    /// <summary>Only ids above this one.</summary>
    public long After { get; init; }

    /// <summary>At most so many.</summary>
    public int Limit { get; init; } = 100;

    /// <summary>Only of this endpoint.</summary>
    public string? Endpoint { get; init; }

    /// <summary>Only those whose text has this in it, letter for letter.</summary>
    public string? Contains { get; init; }

    /// <summary>Only those received at this time or later.</summary>
    public DateTimeOffset? Since { get; init; }
}
