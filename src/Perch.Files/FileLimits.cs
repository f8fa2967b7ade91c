namespace Perch.Files;

/// <summary>The state of the limits of a store.</summary>
/// <param name="Reached">The limit that is reached, or was in the last minute; null if none. Uploads are refused or idle ones dropped for it.</param>
/// <param name="Dropped">Idle uploads that were dropped to make room since the start.</param>
internal sealed record FileLimits(string? Reached, long Dropped);
