namespace Perch.Server.Admin;

/// <summary>Bounds of <c>/records</c> and <c>/records/stream</c>.</summary>
internal sealed record RecordReadOptions
{
    /// <summary>Streams that are open at once. Default 100.</summary>
    public int MaxStreams { get; init; } = 100;

    /// <summary>How long a reader may take for 16 KiB; then its connection is closed. Default 1 minute.</summary>
    public TimeSpan WriteTimeout { get; init; } = TimeSpan.FromMinutes(1);
}
