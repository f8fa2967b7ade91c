using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Perch.Transport;

/// <summary>Adds the direct transport to an application.</summary>
public static class PerchTransportExtensions
{
    /// <summary>
    /// Has Kestrel listen through the direct transport. Where the system cannot have it, Kestrel's own stays. The default
    /// here is that continuations run on the thread pool and that <c>ConnectionClosed</c> fires at the peer's end, as web
    /// applications are used to.
    /// </summary>
    /// <param name="host">The host of the application.</param>
    /// <param name="configure">Changes the options.</param>
    public static IWebHostBuilder UsePerchTransport(this IWebHostBuilder host, Action<DirectTransportOptions>? configure = null)
    {
        if (!DirectTransportFactory.IsSupported) return host;
        return host.ConfigureServices(services =>
        {
            services.Configure<DirectTransportOptions>(options => (options.CloseOnPeerEnd, options.Scheduling) = (true, ContinuationScheduling.ThreadPool));
            if (configure is not null) services.Configure(configure);
            services.AddSingleton(s => new LoopGroup(
                s.GetRequiredService<IOptions<DirectTransportOptions>>().Value.LoopCount, s.GetRequiredService<ILoggerFactory>(), s.GetService<IMemoryPoolFactory<byte>>()));
            // Kestrel asks the one that was added last first.
            services.AddSingleton<IConnectionListenerFactory>(s => new DirectTransportFactory(
                s.GetRequiredService<IOptions<DirectTransportOptions>>().Value, s.GetRequiredService<LoopGroup>(), s.GetRequiredService<ILoggerFactory>()));
        });
    }
}
