using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Options;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Server.Configuration;

namespace Perch.Server.Admin;

/// <summary>Limits the connections to the admin endpoint: <see cref="AdminConnections"/>.</summary>
internal static class AdminConnectionLimit
{
    /// <summary>
    /// Connections that wait need no descriptor. With Kestrel's 512, a burst fills the backlog, and the client of a dropped SYN repeats it
    /// after a second, when many probes have given up.
    /// </summary>
    private const int Backlog = 4096;

    /// <summary>The cap is <c>Kestrel:Limits:MaxConcurrentConnections</c>; the default follows the limit of open files.</summary>
    public static void AddAdminConnections(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(_ => new DescriptorPlan(FileDescriptors.Limit(), KestrelLimits.MostConnections(configuration)));
        services.AddSingleton(s => new AdminConnections(
            s.GetRequiredService<DescriptorPlan>().Admin, s.GetRequiredService<DescriptorBudget>().AdminGate, s.GetRequiredService<TimeProvider>()));
        // Kestrel asks the factory that was registered last first.
        services.AddSingleton<IConnectionListenerFactory>(s => new GatedListenerFactory(
            new SocketTransportFactory(Options.Create(TransportOptions(s)), s.GetRequiredService<ILoggerFactory>()),
            s.GetRequiredService<AdminConnections>(),
            s.GetRequiredService<TimeProvider>()));
    }

    private static SocketTransportOptions TransportOptions(IServiceProvider services)
    {
        var options = services.GetRequiredService<IOptionsFactory<SocketTransportOptions>>().Create(Options.DefaultName);
        options.Backlog = Math.Max(options.Backlog, Backlog);
        return options;
    }

    /// <summary>Kestrel's own limit would refuse new connections while silent ones keep their places.</summary>
    public static void LimitAdminConnections(this KestrelServerOptions kestrel)
    {
        var connections = kestrel.ApplicationServices.GetRequiredService<AdminConnections>();
        kestrel.Limits.MaxConcurrentConnections = null;
        kestrel.ConfigureEndpointDefaults(listen => listen.Use(next => connection => connections.OnConnectionAsync(connection, next)));
    }
}
