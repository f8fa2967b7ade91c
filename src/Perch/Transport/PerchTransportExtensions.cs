using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Perch.Transport;

/// <summary>Adds the direct transport to an ASP.NET Core application.</summary>
public static class PerchTransportExtensions
{
    /// <summary>
    /// Makes Kestrel listen through the direct transport. On a system that does not support the transport, Kestrel keeps its
    /// own. The defaults here suit web applications: continuations run on the thread pool, and <c>ConnectionClosed</c> fires
    /// when the peer ends its side.
    /// </summary>
    /// <param name="host">The web host of the application.</param>
    /// <param name="configure">Changes the options after the defaults are set.</param>
    /// <returns><paramref name="host"/>.</returns>
    public static IWebHostBuilder UsePerchTransport(this IWebHostBuilder host, Action<DirectTransportOptions>? configure = null)
    {
        if (!DirectTransportFactory.IsSupported)
            return host;

        return host.ConfigureServices(services =>
        {
            services.Configure<DirectTransportOptions>(options =>
                (options.CloseOnPeerEnd, options.Scheduling) = (true, ContinuationScheduling.ThreadPool));
            if (configure is not null)
                services.Configure(configure);
            services.AddSingleton(CreateLoops);
            // Kestrel asks the factory that was registered last first.
            services.AddSingleton<IConnectionListenerFactory>(s => new DirectTransportFactory(
                OptionsOf(s), s.GetRequiredService<LoopGroup>(), s.GetRequiredService<ILoggerFactory>()));
        });
    }

    private static LoopGroup CreateLoops(IServiceProvider services) => new(
        OptionsOf(services).LoopCount, services.GetRequiredService<ILoggerFactory>(), services.GetService<IMemoryPoolFactory<byte>>());

    private static DirectTransportOptions OptionsOf(IServiceProvider services) =>
        services.GetRequiredService<IOptions<DirectTransportOptions>>().Value;
}
