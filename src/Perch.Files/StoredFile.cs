using Perch.Wire.Files;

namespace Perch.Files;

/// <summary>A whole file of the store.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Sha256">Its hash in 64 lower-case hexadecimal digits, taken while it was uploaded.</param>
/// <param name="Modified">When it became visible, to the microsecond, in UTC.</param>
/// <param name="Endpoint">The endpoint that took it; <c>admin</c> for HTTP.</param>
/// <param name="Remote">The uploader's address and port, or <c>unix</c>.</param>
internal sealed record StoredFile(FileName Name, long Length, string Sha256, DateTimeOffset Modified, string Endpoint, string Remote)
{
    /// <summary><see cref="Modified"/> in whole seconds, as HTTP dates are.</summary>
    public DateTimeOffset ModifiedSecond => Modified.AddTicks(-(Modified.Ticks % TimeSpan.TicksPerSecond));
}

/// <summary>What is known of a name.</summary>
/// <param name="File">The whole file, or null.</param>
/// <param name="Partial">Bytes of an unfinished upload that are durable; 0 where there is none.</param>
internal sealed record FileStatus(StoredFile? File, long Partial);

/// <summary>What a store holds.</summary>
/// <param name="Files">Whole files.</param>
/// <param name="Bytes">Bytes of whole files and of unfinished uploads.</param>
/// <param name="Partials">Unfinished uploads, those in progress too.</param>
internal sealed record FileTotals(long Files, long Bytes, int Partials)
{
    /// <summary>Why the numbers cannot be right; null if they can. A probe of the store corrects them.</summary>
    public string? Fault { get; init; }
}

/// <summary>What one look at the store found.</summary>
/// <param name="IsFault">Whether something is wrong with it.</param>
/// <param name="Name">The file's name, or the place in the store; not escaped.</param>
/// <param name="Text">What it is.</param>
internal sealed record FileFinding(bool IsFault, string Name, string Text);
