using System.Net;
using System.Net.Sockets;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record.Postgres;

/// <summary>
/// A relay to a server that cuts a connection at the first COMMIT it sees: before the server gets it, or when the server
/// has answered and the client has not heard it. It can also stand still, as a network that is down does.
/// </summary>
internal sealed class CuttingRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _accepting;
    private volatile int _serverPort;
    private volatile Cut _next;
    private volatile TaskCompletionSource _flowing = NewFlow(flows: true);

    public CuttingRelay(int serverPort, Cut next = Cut.Never)
    {
        (_serverPort, _next) = (serverPort, next);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>Where a connection is cut, once.</summary>
    public enum Cut
    {
        Never,
        BeforeCommit,
        AfterCommit,
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>Whether the cut was made.</summary>
    public bool WasCut => _next == Cut.Never;

    /// <summary>New connections go to another server, as when a host name moves; those that are open stay with theirs.</summary>
    public void MoveTo(int serverPort) => _serverPort = serverPort;

    /// <summary>Nothing passes from now on; connections stay open.</summary>
    public void Stall() => _flowing = NewFlow(flows: false);

    /// <summary>What was held passes, and what comes.</summary>
    public void Flow() => _flowing.TrySetResult();

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Stop();
        Flow();
        await _accepting.WaitAsync(Poll.Deadline);
        _ending.Dispose();
    }

    private static TaskCompletionSource NewFlow(bool flows)
    {
        var flow = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        if (flows) flow.SetResult();
        return flow;
    }

    private async Task AcceptAsync()
    {
        var relaying = new List<Task>();
        try
        {
            while (true) relaying.Add(RelayAsync(await _listener.AcceptTcpClientAsync(_ending.Token)));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(relaying);
        }
    }

    private async Task RelayAsync(TcpClient accepted)
    {
        using var client = accepted;
        using var server = new TcpClient();
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        try
        {
            await server.ConnectAsync("127.0.0.1", _serverPort, ending.Token);
            var state = new Connection();
            await Task.WhenAny(CopyAsync(client, server, state, fromClient: true, ending.Token), CopyAsync(server, client, state, fromClient: false, ending.Token));
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            // The test is over, or the server is down.
        }

        await ending.CancelAsync();
    }

    private async Task CopyAsync(TcpClient from, TcpClient to, Connection connection, bool fromClient, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.GetStream().ReadAsync(buffer, cancellationToken) is var length and > 0)
            {
                await _flowing.Task.WaitAsync(cancellationToken);
                var isCommit = fromClient && buffer.AsSpan(0, length).IndexOf("COMMIT\0"u8) >= 0;
                if (isCommit && _next == Cut.BeforeCommit)
                {
                    _next = Cut.Never;
                    return;
                }

                connection.IsCut |= isCommit && _next == Cut.AfterCommit;
                if (!fromClient && connection.IsCut)
                {
                    _next = Cut.Never;
                    return;
                }

                await to.GetStream().WriteAsync(buffer.AsMemory(0, length), cancellationToken);
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException or InvalidOperationException)
        {
            // Either side went away.
        }
    }

    private sealed class Connection
    {
        public volatile bool IsCut;
    }
}
