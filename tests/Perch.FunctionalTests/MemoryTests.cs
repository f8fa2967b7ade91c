using System.Net;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>The steps that bound the memory of peers (<c>Perch:MemoryBudget</c>), with the smallest budget.</summary>
public sealed class MemoryTests
{
    private const int MiB = 1024 * 1024;
    private const int Budget = 16 * MiB;

    /// <summary>Bytes of an unfinished line: with its last block less than 4 MiB.</summary>
    private const int Part = (4 * MiB) - (128 * 1024);

    private const string Lines = """{ "Port": 0, "Protocol": "echo", "Options": { "Framing": "Line", "MaxMessageBytes": 4194304, "Prefix": "" } }""";

    [Fact]
    public async Task Steps_UnfinishedLines_PauseRefuseAndEnd()
    {
        // The clock stands still, so that a step lasts until the test has seen it.
        var time = new FakeTimeProvider(TimeProvider.System.GetUtcNow());
        await using var host = await PerchHost.StartAsync(
            new ServerSettings { SocketEngine = "Direct", MemoryBudget = Budget }.With("lines", Lines), perch => perch.Services.AddSingleton<TimeProvider>(time));
        using var well = await host.ConnectAsync("lines");
        Assert.Equal("1", await well.AskAsync("1\n", 1));
        using var large = new Clients();
        await large.AddAsync(host, 4, Part);
        await UntilAsync(host, "perch_memory_used_bytes", used => used > 4 * Part);
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);

        // Between the budget and 110 % of it.
        using var last = await host.ConnectAsync("lines");
        await last.SendAsync(new byte[MiB]);
        await UntilAsync(host, "perch_memory_paused", paused => paused == 5);
        var before = await MetricAsync(host, "perch_memory_used_bytes");
        await last.SendAsync(new byte[MiB / 2]);
        using var waiting = await host.ConnectAsync("lines");
        await waiting.SendAsync("2\n");
        await UntilAsync(host, "perch_memory_refused_total", refused => refused > 0);
        Assert.Equal("3", await well.AskAsync("3\n", 1));
        // A receive that was under way, and a short message, take a block each.
        Assert.InRange(await MetricAsync(host, "perch_memory_used_bytes"), before - (MiB / 4), before + (MiB / 4));
        Assert.Equal(0, await MetricAsync(host, "perch_memory_ended_total"));
        var (status, body) = await host.Admin.GetReadyAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
        Assert.Equal("Unhealthy", body["checks"]!["memory"]!["status"]!.GetValue<string>());

        time.Advance(TimeSpan.FromSeconds(1));
        await UntilAsync(host, "perch_memory_ended_total", ended => ended == 1);
        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Ended("lines", "MemoryPressure") == 1, () => host.Log);
        Assert.Equal("2", await waiting.ReceiveTextAsync(1));
        await UntilAsync(host, "perch_memory_paused", paused => paused == 0);
        Assert.Equal(MiB / 2 * 3, (await last.AskAsync("\n", MiB / 2 * 3)).Length);
        large.Dispose();
        await UntilAsync(host, "perch_memory_used_bytes", used => used == 0);
        Assert.Equal(HttpStatusCode.OK, (await host.Admin.GetReadyAsync()).Status);
    }

    [Theory]
    [InlineData("Direct")]
    [InlineData("Kestrel")]
    public async Task UnfinishedLines_FarAboveTheBudget_EndTheLargest(string engine)
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { SocketEngine = engine, MemoryBudget = Budget }.With("lines", Lines));
        using var well = await host.ConnectAsync("lines");
        Assert.Equal("1", await well.AskAsync("1\n", 1));
        using var large = new Clients();

        await large.AddAsync(host, 8, Part);

        await Poll.UntilAsync(async () => (await host.Admin.GetMetricsAsync()).Ended("lines", "MemoryPressure") > 0, () => host.Log);
        await UntilAsync(host, "perch_memory_used_bytes", used => used < Budget);
        Assert.Equal("2", await well.AskAsync("2\n", 1));
        using var late = await host.ConnectAsync("lines");
        Assert.Equal("3", await late.AskAsync("3\n", 1));
    }

    [Fact]
    public async Task Reload_SmallerBudget_AppliesAtOnce()
    {
        var settings = new ServerSettings { SocketEngine = "Direct" }.With("lines", Lines);
        await using var host = await PerchHost.StartAsync(settings);
        using var large = new Clients();
        await large.AddAsync(host, 6, Part);
        await UntilAsync(host, "perch_memory_used_bytes", used => used > 6 * Part);
        Assert.Equal(0, await MetricAsync(host, "perch_memory_ended_total"));

        settings.MemoryBudget = Budget;
        host.Folder.Write(settings.ToString());

        await UntilAsync(host, "perch_memory_budget_bytes", budget => budget == Budget);
        await UntilAsync(host, "perch_memory_ended_total", ended => ended > 0);
        await UntilAsync(host, "perch_memory_used_bytes", used => used < Budget);
    }

    [Fact]
    public async Task OneByte_ManyConnections_OccupyFourKibibytesEach()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings { SocketEngine = "Direct" }.With("lines", Lines));
        using var many = new Clients();

        await many.AddAsync(host, 100, 1);

        await UntilAsync(host, "perch_memory_used_bytes", used => used == 100 * 4096);
        many.Dispose();
        await UntilAsync(host, "perch_memory_used_bytes", used => used == 0);
    }

    private static async Task<double> MetricAsync(PerchHost host, string name) => (await host.Admin.GetMetricsAsync()).Sum(name);

    private static async Task UntilAsync(PerchHost host, string name, Func<double, bool> condition)
    {
        var seen = 0.0;
        await Poll.UntilAsync(async () => condition(seen = await MetricAsync(host, name)), () => $"{name} {seen}; {host.Log}");
    }

    /// <summary>Clients that send the beginning of a line.</summary>
    private sealed class Clients : IDisposable
    {
        private readonly List<Client> _clients = [];

        public async Task AddAsync(PerchHost host, int count, int bytes)
        {
            var port = await host.Admin.GetPortAsync("lines");
            for (var i = 0; i < count; i++)
            {
                var client = await Client.ConnectAsync(port);
                _clients.Add(client);
            }

            // Some may be ended before they have sent all.
            await Task.WhenAll(_clients.Select(client => client.TrySendAsync(new byte[bytes])));
        }

        public void Dispose() => _clients.ForEach(client => client.Dispose());
    }
}
