using System.Buffers;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Perch.Connections;

namespace Perch.Benchmarks;

/// <summary>The baseline: a <see cref="ConnectionHandler"/> on Kestrel with nothing around it.</summary>
internal static class BareServer
{
    /// <param name="name">
    /// <c>bare</c>, <c>bare-discard</c>; with <c>-64k</c> behind it, Kestrel receives into Perch's blocks of 64 KiB. <c>tuned</c> does too, and
    /// goes on where the event came in, without a thread in between; the sockets' own part of that is a variable of its environment.
    /// </param>
    public static async Task<int> RunAsync(string name)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore();
        if (name == "tuned") builder.WebHost.UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true);
        if (name == "tuned" || name.EndsWith("-64k", StringComparison.Ordinal))
            builder.Services.AddSingleton<IMemoryPoolFactory<byte>>(new BlockMemoryPoolFactory(new BlockMemoryPool()));
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen =>
        {
            if (name.StartsWith("bare-discard", StringComparison.Ordinal)) listen.UseConnectionHandler<BareDiscard>();
            else listen.UseConnectionHandler<BareEcho>();
        }));
        var app = builder.Build();
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.Single();
        await Console.Out.WriteLineAsync($"port {new Uri(address).Port}");
        await app.WaitForShutdownAsync();
        return 0;
    }

    private sealed class BareEcho : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            var (input, output) = (connection.Transport.Input, connection.Transport.Output);
            while (true)
            {
                var read = await input.ReadAsync();
                foreach (var segment in read.Buffer) output.Write(segment.Span);
                input.AdvanceTo(read.Buffer.End);
                var flush = await output.FlushAsync();
                if (read.IsCompleted || flush.IsCompleted) return;
            }
        }
    }

    private sealed class BareDiscard : ConnectionHandler
    {
        public override async Task OnConnectedAsync(ConnectionContext connection)
        {
            while (true)
            {
                var read = await connection.Transport.Input.ReadAsync();
                connection.Transport.Input.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted) return;
            }
        }
    }
}
