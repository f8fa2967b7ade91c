using System.Net;
using System.Net.Sockets;
using Perch.Datagrams;
using Xunit.Abstractions;

namespace Perch.Tests.Datagrams;

/// <summary>It looks at the whole process, so nothing runs beside it.</summary>
[CollectionDefinition(nameof(DatagramAllocationTests), DisableParallelization = true)]
public sealed class AloneCollection;

/// <summary>What a datagram costs in memory between the socket and the socket, with a client that allocates nothing.</summary>
[Collection(nameof(DatagramAllocationTests))]
public sealed class DatagramAllocationTests(ITestOutputHelper output)
{
    private const int Messages = 10_000;

    /// <summary>What is allocated for each message shows in every one; what another program on the machine brings about, not.</summary>
    private const int Rounds = 5;

#if DEBUG
    private const string? NotHere = "a Debug build allocates for every async call: dotnet test -c Release";
#else
    private const string? NotHere = null;
#endif

    [Theory(Skip = NotHere)]
    [InlineData("127.0.0.1", "127.0.0.1", 1, false)]
    [InlineData("127.0.0.1", "127.0.0.1", 16, false)]
    [InlineData("0.0.0.0", "127.0.0.2", 16, false)]
    [InlineData("::", "::1", 16, false)]
    [InlineData("127.0.0.1", "127.0.0.1", 16, true)]
    public async Task Echo_SteadyState_AllocatesNothing(string bound, string asked, int burst, bool isLate)
    {
        await using var host = await DatagramHost.StartAsync(
            perch =>
            {
                if (isLate) perch.AddProtocol<LateEcho>("test");
                else DatagramServerTests.Prefix(perch);
            },
            $$""" "Address": "{{bound}}", "Guards": { "RepliesPerSecond": 100000000 } """);
        using var socket = new Socket(IPAddress.Parse(asked).AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(new IPEndPoint(IPAddress.Parse(asked), host.Port()));
        Exchange(socket, burst, Messages);
        var each = double.MaxValue;
        for (var round = 0; round < Rounds; round++)
        {
            var before = GC.GetTotalAllocatedBytes(precise: true);
            Exchange(socket, burst, Messages);
            each = Math.Min(each, (GC.GetTotalAllocatedBytes(precise: true) - before) / (double)Messages);
        }

        output.WriteLine($"{burst} at once: {each:0.000} bytes a datagram");
        // Less than the smallest object; the rest of the process is not quite still.
        Assert.InRange(each, 0, 4);
    }

    private static void Exchange(Socket socket, int burst, int messages)
    {
        Span<byte> message = stackalloc byte[64];
        Span<byte> answer = stackalloc byte[64];
        for (var i = 0; i < messages; i += burst)
        {
            for (var j = 0; j < burst; j++) socket.Send(message);
            for (var j = 0; j < burst; j++)
            {
                // An assertion would allocate.
                if (socket.Receive(answer) != 64) throw new InvalidOperationException("It is not the echo.");
            }
        }
    }

    /// <summary>Answers on another thread.</summary>
    private sealed class LateEcho : DatagramHandler
    {
        private readonly LateReply[] _replies = [.. Enumerable.Range(0, 64).Select(_ => new LateReply())];
        private int _next;

        protected internal override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload) =>
            _replies[_next++ % _replies.Length].SendLater(context, payload);
    }

    private sealed class LateReply : System.Threading.Tasks.Sources.IValueTaskSource, IThreadPoolWorkItem
    {
        private System.Threading.Tasks.Sources.ManualResetValueTaskSourceCore<bool> _core;
        private DatagramContext? _context;
        private ReadOnlyMemory<byte> _payload;

        public ValueTask SendLater(DatagramContext context, ReadOnlyMemory<byte> payload)
        {
            (_context, _payload) = (context, payload);
            _core.Reset();
            var handling = new ValueTask(this, _core.Version);
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            return handling;
        }

        public void Execute()
        {
            System.Buffers.BuffersExtensions.Write(_context!.Reply, _payload.Span);
            _core.SetResult(true);
        }

        public void GetResult(short token) => _core.GetResult(token);

        public System.Threading.Tasks.Sources.ValueTaskSourceStatus GetStatus(short token) => _core.GetStatus(token);

        public void OnCompleted(Action<object?> continuation, object? state, short token, System.Threading.Tasks.Sources.ValueTaskSourceOnCompletedFlags flags) =>
            _core.OnCompleted(continuation, state, token, flags);
    }
}
