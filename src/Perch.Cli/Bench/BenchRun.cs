using System.Net;
using Perch.Cli.Net;

namespace Perch.Cli.Bench;

/// <summary>Runs one load on a thread of its own, and shows it meanwhile.</summary>
internal static class BenchRun
{
    /// <exception cref="CliException">No connection came up.</exception>
    public static async Task<BenchResult> RunAsync(CliConsole console, Target target, BenchOptions options, string label, CancellationToken cancellationToken)
    {
        var address = (await target.ResolveAsync(cancellationToken))[0];
        if (target.Transport == Transport.Tcp) address = await FirstOpenAsync(target, options, cancellationToken);
        var progress = new BenchProgress();
        var running = Task.Factory.StartNew(() => Run(address, target, options, progress, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        await new BenchView(console, label, options).ShowAsync(progress, running);
        var result = await running;
        cancellationToken.ThrowIfCancellationRequested();
        return result;
    }

    private static BenchResult Run(EndPoint address, Target target, BenchOptions options, BenchProgress progress, CancellationToken cancellationToken)
    {
        if (options.Mode == BenchMode.Udp)
        {
            using var datagrams = new DatagramLoop(address, options, progress);
            return datagrams.Run(target.Address, cancellationToken);
        }

        using LoadLoop loop = options.Mode switch
        {
            BenchMode.Connect => new ConnectLoop(address, options, progress),
            BenchMode.Stream => new StreamLoop(address, options, progress),
            _ => new MessageLoop(address, options, progress),
        };
        return loop.Run(target.Address, cancellationToken);
    }

    /// <summary>A name may have an address that nobody listens on: the one that answers is the one that is loaded.</summary>
    private static async Task<EndPoint> FirstOpenAsync(Target target, BenchOptions options, CancellationToken cancellationToken)
    {
        await using var link = await new Dialer(target, null, options.ConnectTimeout).ConnectAsync(cancellationToken);
        return link.Peer!;
    }
}
