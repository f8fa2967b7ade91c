using System.Net;
using System.Net.Sockets;
using Perch.Wire;

namespace Perch.Cli.Net;

/// <summary>Opens links to one target, as often as asked.</summary>
/// <param name="target">Where to.</param>
/// <param name="tls">Null: no TLS.</param>
/// <param name="timeout">The bound of name, connection and handshake together.</param>
internal sealed class Dialer(Target target, TlsSettings? tls, TimeSpan timeout)
{
    public Target Target { get; } = target;

    public TimeSpan Timeout { get; } = timeout;

    public string Description { get; } = tls is null ? target.Address : $"{target.Address} (TLS)";

    /// <exception cref="CliException">With what stood in the way: name, refusal, timeout, TLS.</exception>
    public Task<Link> ConnectAsync(CancellationToken cancellationToken) => WithinAsync(
        async limit =>
        {
            var socket = await OpenAsync(await Target.ResolveAsync(limit), limit);
            try
            {
                return Target.Transport == Transport.Udp ? new Link(socket) : new(socket, await SecureAsync(socket, limit));
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        },
        cancellationToken);

    /// <inheritdoc cref="Target.ResolveAsync"/>
    public Task<IReadOnlyList<EndPoint>> ResolveAsync(CancellationToken cancellationToken) => WithinAsync(Target.ResolveAsync, cancellationToken);

    private async Task<T> WithinAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Timeout);
        try
        {
            return await work(limit.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CliException(ExitCode.TimedOut, $"{Description} did not answer within {Timeout.TotalSeconds:0.###} s.");
        }
    }

    private async Task<Stream> SecureAsync(Socket socket, CancellationToken cancellationToken)
    {
        var plain = new NetworkStream(socket, ownsSocket: true);
        return tls is null ? plain : await new TlsHandshake(tls, Target.Transport == Transport.Unix ? "localhost" : Target.Host).RunAsync(plain, cancellationToken);
    }

    private async Task<Socket> OpenAsync(IReadOnlyList<EndPoint> addresses, CancellationToken cancellationToken)
    {
        SocketException? first = null;
        foreach (var address in addresses)
        {
            var socket = Target.Transport switch
            {
                Transport.Udp => new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp),
                Transport.Unix => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
                _ => new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
            };
            try
            {
                await socket.ConnectAsync(address, cancellationToken);
                return socket;
            }
            catch (SocketException exception)
            {
                socket.Dispose();
                first ??= exception;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw Explain(first);
    }

    private CliException Explain(SocketException? exception) => exception?.SocketErrorCode switch
    {
        null => new(ExitCode.UnknownHost, $"The host '{PeerText.Escape(Target.Host)}' has no address."),
        SocketError.ConnectionRefused => new(ExitCode.Unreachable, $"{Description} refuses the connection: nothing listens there."),
        SocketError.AddressNotAvailable or SocketError.SocketError when Target.Transport == Transport.Unix => new(ExitCode.Unreachable, $"There is no socket {Description}."),
        SocketError.TimedOut => new(ExitCode.TimedOut, $"{Description} did not answer."),
        _ => new(Failure.Of(exception)!.ExitCode, $"{Description} cannot be reached: {PeerText.Escape(exception.Message).TrimEnd('.')}."),
    };
}
