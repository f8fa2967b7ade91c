using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.Wire.Tftp;

namespace Perch.Cli.Files.Tftp;

/// <summary>
/// The socket of one transfer. The server answers from a port of its choice, which is then the transfer's id (RFC 1350, section 4): whoever
/// else sends is told error 5, and changes nothing. What is not answered is to be sent again, after longer and longer waits.
/// </summary>
internal sealed class TftpLink : IDisposable
{
    private const int BackOffs = 3;
    private const int StrangerErrorBytes = 64;

    /// <summary>What the system may keep of a window that comes faster than it is read.</summary>
    private const int SocketBufferBytes = 1024 * 1024;

    // Linux tells a socket without a fixed peer that a port is closed only where it is asked to: ip(7), IP_RECVERR.
    private const int IpLevel = 0;
    private const int IpReceiveErrors = 11;
    private const int Ipv6Level = 41;
    private const int Ipv6ReceiveErrors = 25;

    private readonly Socket _socket;
    private readonly IPEndPoint _server;
    private readonly TftpAsk _ask;
    private readonly CancellationToken _cancellation;
    private readonly byte[] _request = new byte[TftpRequest.MaxBytes];
    // One byte more than may come: what fills it is too long.
    private readonly byte[] _buffer = new byte[TftpPacket.HeaderBytes + TftpOptionSet.MaxBlockSize + 1];
    private readonly SocketAddress _from;
    private SocketAddress _to;
    private CancellationTokenSource _wait;
    private TimeSpan _waited;
    private int _requestBytes;
    private int _length;
    private int _retries;
    private bool _hasToldStranger;
    private bool _isRefused;

    public TftpLink(IPEndPoint server, TftpAsk ask, CancellationToken cancellationToken)
    {
        (_server, _ask, _cancellation) = (server, ask, cancellationToken);
        _socket = new(server.AddressFamily, SocketType.Dgram, ProtocolType.Udp) { ReceiveBufferSize = SocketBufferBytes };
        _socket.Bind(new IPEndPoint(server.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0));
        if (OperatingSystem.IsLinux())
        {
            var isIpv4 = server.AddressFamily == AddressFamily.InterNetwork;
            _socket.SetRawSocketOption(isIpv4 ? IpLevel : Ipv6Level, isIpv4 ? IpReceiveErrors : Ipv6ReceiveErrors, BitConverter.GetBytes(1));
        }

        (_from, _to) = (new(server.AddressFamily), server.Serialize());
        _wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
    }

    /// <summary>The last packet that was heard.</summary>
    public ReadOnlySpan<byte> Packet => _buffer.AsSpan(0, _length);

    /// <summary>The transfer has its id: the server's address and port.</summary>
    public bool IsOpen { get; private set; }

    /// <summary>Sends the request and begins to wait.</summary>
    public void Ask(TftpRequest request)
    {
        _requestBytes = request.Write(_request);
        AskAgain();
    }

    /// <summary>Sends the request once more, and begins to wait.</summary>
    public void AskAgain()
    {
        StartWait();
        Send(_request.AsSpan(0, _requestBytes));
    }

    /// <summary>The packet that was heard is the first answer: its sender is the transfer's peer.</summary>
    public void Open()
    {
        IsOpen = true;
        _to = new(_from.Family, _from.Size);
        _from.Buffer[.._from.Size].CopyTo(_to.Buffer);
        CountProgress();
    }

    /// <summary>Begins to wait for an answer, longer each time in a row.</summary>
    public void StartWait()
    {
        // It may have ended while the rate limit, or a disk, held this side up: that is no silence of the server's.
        if (_wait.IsCancellationRequested) Renew();
        _wait.CancelAfter(WaitAfter(_retries));
    }

    /// <summary>The transfer has moved on: the next wait is a short one.</summary>
    public void CountProgress() => (_retries, _waited) = (0, TimeSpan.Zero);

    /// <summary>Goes on with the wait that was started.</summary>
    /// <returns>False: nothing came in time, so what was sent last is to be sent again.</returns>
    /// <exception cref="FileRefusal">The server has sent an ERROR.</exception>
    /// <exception cref="CliException">It has been tried often enough; or nothing listens there.</exception>
    public async ValueTask<bool> HearAsync()
    {
        while (true)
        {
            // What came before the port was closed is heard first: it may say why.
            if (_isRefused && _socket.Available == 0) throw Gone();
            try
            {
                _length = await _socket.ReceiveFromAsync(_buffer, SocketFlags.None, _from, _wait.Token);
            }
            catch (OperationCanceledException) when (!_cancellation.IsCancellationRequested)
            {
                CountRetry();
                return false;
            }
            catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset)
            {
                // It may as well be that of a stranger who was told so.
                _isRefused |= !_hasToldStranger;
                continue;
            }
            catch (SocketException exception) when (exception.SocketErrorCode == SocketError.MessageSize || (IsOpen && exception.SocketErrorCode is SocketError.HostUnreachable or SocketError.NetworkUnreachable))
            {
                // A router says so, and the way may be another one soon: the waits decide.
                continue;
            }

            if (!IsOfPeer(out var stranger))
            {
                if (stranger is not null) Reject(stranger);
                continue;
            }

            if (TftpPacket.TryReadError(Packet, out var code, out var text)) throw new FileRefusal(NameOf(code), text.IsEmpty ? "no reason given" : Encoding.UTF8.GetString(text));
            return true;
        }
    }

    public void Send(ReadOnlySpan<byte> packet) => SendTo(packet, _to);

    /// <summary>Tells the server that the transfer is over, where it has begun.</summary>
    public void TellError(TftpErrorCode code, string text)
    {
        if (!IsOpen) return;
        Span<byte> error = stackalloc byte[TftpPacket.HeaderBytes + TftpPacket.MaxErrorTextBytes + 1];
        try
        {
            Send(error[..TftpPacket.WriteError(error, code, text)]);
        }
        catch (SocketException)
        {
            // Something else has ended it, and is told.
        }
    }

    public void Dispose()
    {
        _wait.Dispose();
        _socket.Dispose();
    }

    private TimeSpan WaitAfter(int retries) => _ask.FirstWait * (1 << Math.Min(retries, BackOffs));

    private void CountRetry()
    {
        Renew();
        _waited += WaitAfter(_retries);
        if (_retries < _ask.Retries) _retries++;
        else throw new CliException(ExitCode.TimedOut, $"{_server} {(IsOpen ? "does not answer any more" : "did not answer")}: asked {_retries + 1} times in {_waited.TotalSeconds:0.###} s (--timeout, --retry).");
    }

    private void Renew()
    {
        _wait.Dispose();
        _wait = CancellationTokenSource.CreateLinkedTokenSource(_cancellation);
    }

    private bool IsOfPeer(out IPEndPoint? stranger)
    {
        stranger = null;
        if (IsOpen && _from.Equals(_to)) return true;
        var sender = (IPEndPoint)_server.Create(_from);
        // The first answer may come from any port.
        if (!IsOpen && sender.Address.Equals(_server.Address)) return true;
        stranger = sender;
        return false;
    }

    private void Reject(IPEndPoint stranger)
    {
        // An ERROR is never answered, nor what is no packet of a transfer.
        if (TftpPacket.OpcodeOf(Packet) is not (TftpOpcode.Data or TftpOpcode.Acknowledgment or TftpOpcode.OptionAcknowledgment)) return;
        _hasToldStranger = true;
        Span<byte> error = stackalloc byte[StrangerErrorBytes];
        try
        {
            SendTo(error[..TftpPacket.WriteError(error, TftpErrorCode.UnknownTransferId, "this transfer is not yours")], stranger.Serialize());
        }
        catch (SocketException)
        {
            // No way back to it: so be it.
        }
    }

    private void SendTo(ReadOnlySpan<byte> packet, SocketAddress to)
    {
        try
        {
            _socket.SendTo(packet, SocketFlags.None, to);
        }
        catch (SocketException exception) when (exception.SocketErrorCode is SocketError.ConnectionRefused or SocketError.ConnectionReset)
        {
            // That is of what was sent before; this was not sent.
            _isRefused |= !_hasToldStranger;
            if (!_isRefused) _socket.SendTo(packet, SocketFlags.None, to);
        }
    }

    private CliException Gone() => IsOpen
        ? new(ExitCode.Cut, $"{_server} has left the transfer: its port is closed.")
        : new(ExitCode.Unreachable, $"{_server} refuses the request: nothing listens there.");

    private static string NameOf(ushort code) => (TftpErrorCode)code switch
    {
        TftpErrorCode.FileNotFound => FileRefusal.NotFound,
        TftpErrorCode.AccessViolation => "access",
        TftpErrorCode.DiskFull => "full",
        TftpErrorCode.IllegalOperation => "illegal",
        TftpErrorCode.UnknownTransferId => "unknown-transfer",
        TftpErrorCode.FileExists => "exists",
        TftpErrorCode.NoSuchUser => "no-user",
        TftpErrorCode.OptionRefused => FileRefusal.Options,
        _ => $"error {code}",
    };
}
