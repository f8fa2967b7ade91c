using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>What the two sides have agreed on.</summary>
/// <param name="BlockSize">Bytes of a block.</param>
/// <param name="WindowSize">Blocks that are sent before an acknowledgement is waited for.</param>
/// <param name="Timeout">When a packet is sent again the first time.</param>
/// <param name="BacksOff">Whether that doubles; a time that the peer has chosen stays.</param>
/// <param name="Accepted">What the OACK says; none where there is to be no OACK.</param>
internal sealed record TftpTerms(int BlockSize, int WindowSize, TimeSpan Timeout, bool BacksOff, TftpOptionSet Accepted)
{
    /// <summary>Bytes of a window that are kept to be sent again.</summary>
    private const int MaxWindowBytes = 512 * 1024;

    /// <summary>Bytes that a socket's receive buffer holds where nobody has raised it, and what the system adds to each datagram, on Linux.</summary>
    private const int ReceiveBufferBytes = 192 * 1024;
    private const int DatagramOverhead = 1024;

    /// <summary>What a session at the endpoint's port can have waiting is 64 datagrams; some of them may be doubled.</summary>
    private const int MaxWindowAtEndpoint = 48;

    private const int BackOffs = 3;

    /// <param name="request">What the peer wants.</param>
    /// <param name="options">What the endpoint allows.</param>
    /// <param name="fileBytes">Bytes of the file that is read; null for a write.</param>
    /// <param name="isAtEndpoint">Whether it shares the endpoint's port.</param>
    /// <param name="pathPayload">The most that a datagram can carry to the peer.</param>
    public static TftpTerms Agree(TftpRequest request, TftpOptions options, long? fileBytes, bool isAtEndpoint, Func<int> pathPayload)
    {
        var asked = request.Options;
        var accepted = TftpOptionSet.None;
        var (block, window, timeout) = (TftpOptionSet.DefaultBlockSize, 1, options.Timeout);
        if (asked.BlockSize is { } size)
        {
            block = Math.Clamp(Math.Min(size, pathPayload() - TftpPacket.HeaderBytes), TftpOptionSet.MinBlockSize, options.MaxBlockSize);
            accepted = accepted with { BlockSize = block };
        }

        if (asked.WindowSize is { } blocks)
        {
            window = Math.Min(Math.Min(blocks, options.MaxWindowSize), MaxWindowBytes / (block + TftpPacket.HeaderBytes));
            if (fileBytes is null) window = Math.Min(window, isAtEndpoint ? MaxWindowAtEndpoint : int.MaxValue);
            if (fileBytes is null) window = Math.Min(window, ReceiveBufferBytes / (block + DatagramOverhead));
            window = Math.Max(1, window);
            accepted = accepted with { WindowSize = window };
        }

        if (asked.TimeoutMicroseconds is { } microseconds) (timeout, accepted) = (TimeSpan.FromMicroseconds(microseconds), accepted with { TimeoutMicroseconds = microseconds });
        else if (asked.TimeoutSeconds is { } seconds) (timeout, accepted) = (TimeSpan.FromSeconds(seconds), accepted with { TimeoutSeconds = seconds });
        // What netascii makes of a file is known only when it has been read: the option is not accepted then.
        // An empty file's size is not told: curl takes that 0 for an error.
        if (asked.TransferSize is { } bytes && (fileBytes is null || (fileBytes > 0 && request.Mode == TftpMode.Octet))) accepted = accepted with { TransferSize = fileBytes ?? bytes };
        return new(block, window, timeout, asked.TimeoutMicroseconds is null && asked.TimeoutSeconds is null, accepted);
    }

    /// <summary>Whether the answer to the request is an OACK.</summary>
    public bool HasOptions => Accepted != TftpOptionSet.None;

    /// <summary>How long to wait when something was sent so many times again.</summary>
    public TimeSpan WaitAfter(int resent) => BacksOff ? Timeout * (1 << Math.Min(resent, BackOffs)) : Timeout;
}
