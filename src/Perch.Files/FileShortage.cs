namespace Perch.Files;

/// <summary>A limit that the unfinished uploads of the store have reached: dropping idle ones makes room.</summary>
/// <param name="Bytes">Bytes that are missing; 0 if the number of uploads is at its limit.</param>
/// <param name="Source">The peer whose own uploads are at their limit; null for a limit of the whole store.</param>
/// <param name="IsDisk">
/// True if the disk has no space. Another program may have taken it, so an upload that was left just now is not dropped for it.
/// </param>
internal sealed record FileShortage(long Bytes, UploadSource? Source = null, bool IsDisk = false);
