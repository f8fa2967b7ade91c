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
    /// <summary>The cap is <c>Kestrel:Limits:MaxConcurrentConnections</c>; the default follows the limit of open files.</summary>
    public static void AddAdminConnections(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddSingleton(s => new AdminConnections(
            KestrelLimits.MostConnections(configuration) ?? DescriptorPlan.OfProcess.Admin, s.GetRequiredService<DescriptorBudget>().AdminGate));
        // Kestrel asks the factory that was registered last first.
        services.AddSingleton<IConnectionListenerFactory>(s => new GatedListenerFactory(
            new SocketTransportFactory(s.GetRequiredService<IOptions<SocketTransportOptions>>(), s.GetRequiredService<ILoggerFactory>()),
            s.GetRequiredService<DescriptorBudget>().AdminGate,
            s.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Kestrel's own limit would refuse new connections while silent ones keep their places.</summary>
    public static void LimitAdminConnections(this KestrelServerOptions kestrel)
    {
        var connections = kestrel.ApplicationServices.GetRequiredService<AdminConnections>();
        kestrel.Limits.MaxConcurrentConnections = null;
        kestrel.ConfigureEndpointDefaults(listen => listen.Use(next => connection => connections.OnConnectionAsync(connection, next)));
    }
}
