using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>How one transfer went.</summary>
/// <param name="Outcome"><c>stored</c>, <c>fetched</c>, <c>resumed</c> or <c>unchanged</c>.</param>
/// <param name="Name">The name at the server.</param>
/// <param name="Length">Bytes of the whole file.</param>
/// <param name="Sha256">Its hash, which was compared.</param>
/// <param name="Transferred">Bytes that went over the wire.</param>
internal sealed record TransferResult(string Outcome, FileName Name, long Length, string Sha256, long Transferred);
