namespace Perch.Cli.Files;

/// <summary>What a server knows of a name.</summary>
/// <param name="Length">Bytes of the whole file; null where there is none.</param>
/// <param name="Sha256">Its hash, or null.</param>
/// <param name="Modified">When it was stored, or null.</param>
/// <param name="Partial">Bytes of an upload that is not finished.</param>
internal sealed record RemoteStatus(long? Length, string? Sha256, DateTimeOffset? Modified, long Partial)
{
    public static readonly RemoteStatus None = new(null, null, null, 0);
}
