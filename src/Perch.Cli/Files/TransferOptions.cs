using Perch.Cli.Files.Tftp;

namespace Perch.Cli.Files;

/// <summary>How files are transferred.</summary>
internal sealed record TransferOptions
{
    /// <summary>Go on with what an earlier transfer left, and leave what is there already.</summary>
    public bool Resume { get; init; } = true;

    /// <summary>Connections at once, 1 to 64.</summary>
    public int Parallel { get; init; } = 4;

    /// <summary>Bytes a second of all together; null: no limit.</summary>
    public long? LimitRate { get; init; }

    /// <summary>How often a broken connection is opened again without any progress between.</summary>
    public int Retries { get; init; } = 10;

    /// <summary>What a TFTP server is asked for.</summary>
    public TftpAsk Tftp { get; init; } = new();
}
