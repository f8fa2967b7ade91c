using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>A file of this machine and what it is called over there.</summary>
/// <param name="Path">Where it is.</param>
/// <param name="Name">Its name at the server.</param>
/// <param name="Length">Bytes, when it was looked at.</param>
/// <param name="Sha256">Its hash in 64 lower-case digits; empty until it was read.</param>
internal sealed record LocalFile(string Path, FileName Name, long Length, string Sha256 = "");
