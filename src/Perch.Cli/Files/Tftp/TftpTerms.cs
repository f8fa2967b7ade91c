using Perch.Wire;
using Perch.Wire.Tftp;

namespace Perch.Cli.Files.Tftp;

/// <summary>What both sides have agreed on.</summary>
/// <param name="BlockSize">Bytes of every block but the last.</param>
/// <param name="WindowSize">Blocks that are sent before an acknowledgement is waited for.</param>
/// <param name="Length">The file's length, where the server told it.</param>
internal sealed record TftpTerms(int BlockSize, int WindowSize, long? Length)
{
    /// <summary>The code of the exception of <see cref="Agree"/>: the server is told error 8.</summary>
    public const string Options = "options";

    /// <summary>RFC 1350's: of a server that knows no options.</summary>
    public static readonly TftpTerms Plain = new(TftpOptionSet.DefaultBlockSize, 1, null);

    /// <exception cref="ProtocolException">The server accepts what was not asked for, or more of it (RFC 2347).</exception>
    public static TftpTerms Agree(TftpOptionSet asked, TftpOptionSet told)
    {
        if (told.BlockSize > asked.BlockSize.GetValueOrDefault()) throw new ProtocolException(Options, "The server wants larger blocks than it was asked for.");
        if (told.WindowSize > asked.WindowSize.GetValueOrDefault()) throw new ProtocolException(Options, "The server wants longer windows than it was asked for.");
        return new(told.BlockSize ?? TftpOptionSet.DefaultBlockSize, told.WindowSize ?? 1, told.TransferSize);
    }
}
