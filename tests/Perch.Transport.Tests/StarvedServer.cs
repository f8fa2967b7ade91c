using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Testing;
using Perch.Tests.Shared;
using Perch.Transport.Loops;

namespace Perch.Transport.Tests;

/// <summary>
/// An echo in a process of its own, with hardly any descriptors. It writes its port, and then, for each line that it reads,
/// what it has counted: calls of accept(2), connections that were shed, lines that said it is short, lines that said it is not any more.
/// </summary>
internal static partial class StarvedServer
{
    public const int Spare = 10;

    private const int OpenFiles = 7;

    private static readonly ConcurrentBag<Task> Handlers = [];

    public static async Task<int> Main()
    {
        using var log = new FakeLoggerProvider();
        using var loggers = new LoggerFactory([log]);
        using var loops = new LoopGroup(1, loggers);
        await using var listener = (DirectListener)await new DirectTransportFactory(new(), loops, loggers).BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        var accepting = AcceptAsync(listener);
        // Load every assembly that a log record and the state need while the process can still open files.
        new LoopHolds("warm-up", null, loggers.CreateLogger("warm-up"), TimeProvider.System).Add();
        _ = State(listener, log.Collector);
        await WarmUpAsync(listener.EndPoint);
        var used = Directory.GetFileSystemEntries("/proc/self/fd").Select(name => int.Parse(Path.GetFileName(name), CultureInfo.InvariantCulture)).ToHashSet();
        // The limit is on the numbers, and there are gaps between those in use.
        var last = (ulong)Enumerable.Range(0, int.MaxValue).Where(number => !used.Contains(number)).ElementAt(Spare);
        var limit = new Limits { Soft = last, Hard = last };
        if (SetLimit(OpenFiles, in limit) != 0) return 1;
        Console.WriteLine(((IPEndPoint)listener.EndPoint).Port);
        while (Console.ReadLine() is not null) Console.WriteLine(State(listener, log.Collector));
        await listener.UnbindAsync();
        await accepting;
        return 0;
    }

    private static string State(DirectListener listener, FakeLogCollector log) =>
        $"{listener.AcceptCalls} {listener.BrokenConnections} {log.Named("AcceptShort").Length} {log.Named("AcceptRecovered").Length}";

    private static async Task AcceptAsync(DirectListener listener)
    {
        while (await listener.AcceptAsync() is { } connection) Handlers.Add(EchoAsync(connection));
    }

    private static async Task EchoAsync(ConnectionContext connection)
    {
        while (await connection.Transport.Input.ReadAsync() is { IsCompleted: false } read)
        {
            foreach (var segment in read.Buffer) await connection.Transport.Output.WriteAsync(segment);
            connection.Transport.Input.AdvanceTo(read.Buffer.End);
        }

        await connection.DisposeAsync();
    }

    private static async Task WarmUpAsync(EndPoint endPoint)
    {
        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(endPoint);
        await client.SendTextAsync("x");
        await client.ReceiveTextAsync(1);
        client.Shutdown(SocketShutdown.Send);
        await client.ReceiveToEndAsync();
    }

    [LibraryImport("libc", EntryPoint = "setrlimit")]
    private static partial int SetLimit(int resource, in Limits limits);

    [StructLayout(LayoutKind.Sequential)]
    private struct Limits
    {
        public ulong Soft;
        public ulong Hard;
    }
}
