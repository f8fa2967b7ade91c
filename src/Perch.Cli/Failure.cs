using System.Net.Sockets;
using System.Security.Authentication;
using Perch.Wire;

namespace Perch.Cli;

/// <summary>What went wrong, for a person and for a script: one line and an exit code, never a stack.</summary>
/// <param name="ExitCode">One of <see cref="Cli.ExitCode"/>.</param>
/// <param name="Text">One line.</param>
internal sealed record Failure(int ExitCode, string Text)
{
    /// <returns>Null for what nobody expected: a fault of the program, which ends with its stack.</returns>
    public static Failure? Of(Exception exception) => exception switch
    {
        CliException known => new(known.ExitCode, known.Message),
        ProtocolException violation => new(Cli.ExitCode.Refused, $"The peer broke the protocol: {violation.Message}"),
        AuthenticationException tls => new(Cli.ExitCode.Tls, $"TLS failed: {OneLine(tls.GetBaseException().Message)}"),
        SocketException socket => Of(socket),
        IOException { InnerException: SocketException socket } => Of(socket),
        IOException or UnauthorizedAccessException => new(Cli.ExitCode.LocalFile, OneLine(exception.Message)),
        AggregateException { InnerException: { } inner } => Of(inner),
        _ => null,
    };

    private static Failure Of(SocketException exception) => exception.SocketErrorCode switch
    {
        SocketError.HostNotFound or SocketError.NoData or SocketError.TryAgain or SocketError.NoRecovery => new(Cli.ExitCode.UnknownHost, "The host's name is not known."),
        SocketError.ConnectionRefused => new(Cli.ExitCode.Unreachable, "The connection was refused: nothing listens there."),
        SocketError.HostUnreachable or SocketError.NetworkUnreachable or SocketError.AddressNotAvailable or SocketError.AddressFamilyNotSupported
            => new(Cli.ExitCode.Unreachable, $"No way leads there: {OneLine(exception.Message)}."),
        SocketError.TimedOut => new(Cli.ExitCode.TimedOut, "The peer does not answer any more."),
        SocketError.ConnectionReset or SocketError.ConnectionAborted or SocketError.Shutdown => new(Cli.ExitCode.Cut, "The peer has reset the connection."),
        SocketError.MessageSize => new(Cli.ExitCode.Usage, "The message is longer than a datagram may be."),
        _ => new(Cli.ExitCode.Cut, $"The connection failed: {OneLine(exception.Message)}."),
    };

    private static string OneLine(string text) => PeerText.Escape(text, 400).TrimEnd('.');
}
