namespace Perch.Cli.Files;

/// <summary>One file to bring somewhere.</summary>
/// <param name="Label">Its name for people, not escaped yet.</param>
/// <param name="Length">Bytes, where known; else 0.</param>
/// <param name="RunAsync">Does it over a connection, as often as it is asked: an earlier try may have left something.</param>
internal sealed record TransferJob(string Label, long Length, Func<IRemoteFiles, TransferMeter, CancellationToken, Task<TransferResult>> RunAsync);
