using Perch.Wire.Tftp;

namespace Perch.Cli.Files.Tftp;

/// <summary>What a TFTP server is asked for, and how patiently.</summary>
internal sealed record TftpAsk
{
    /// <summary>Bytes of a block (RFC 2348), 8 to 65464. By default a packet fits Ethernet with room for tunnels; 512 is RFC 1350's, and then not said.</summary>
    public int BlockSize { get; init; } = 1428;

    /// <summary>Blocks of a window (RFC 7440), 1 to 65535; 1 is RFC 1350's, and then not said.</summary>
    public int WindowSize { get; init; } = 16;

    /// <summary>When something is sent again the first time; then after twice, four times and eight times that.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How often in a row something is sent again before the server is given up.</summary>
    public int Retries { get; init; } = 5;

    /// <summary>The time after which the server is to send again (RFC 2349), 1 to 255 seconds; null: its own.</summary>
    public int? ServerTimeout { get; init; }

    /// <summary>With the wait that <c>--timeout</c> gives, of which the server is told where it can be.</summary>
    public static TftpAsk Waiting(TimeSpan? firstWait) => firstWait is not { } wait ? new() : new()
    {
        FirstWait = wait,
        ServerTimeout = wait.TotalSeconds is >= 1 and <= 255 && wait.Ticks % TimeSpan.TicksPerSecond == 0 ? (int)wait.TotalSeconds : null,
    };

    /// <param name="transferSize">0 asks for a file's length, else it is told.</param>
    /// <param name="pieceBytes">How many bytes are moved at once: longer windows would wait for the rate limit, and be sent again meanwhile.</param>
    public TftpOptionSet Options(long transferSize, int pieceBytes) => new()
    {
        TransferSize = transferSize,
        BlockSize = BlockSize == TftpOptionSet.DefaultBlockSize ? null : BlockSize,
        WindowSize = Math.Clamp(2 * pieceBytes / BlockSize, 1, WindowSize) is var window and > 1 ? window : null,
        TimeoutSeconds = ServerTimeout,
    };
}
