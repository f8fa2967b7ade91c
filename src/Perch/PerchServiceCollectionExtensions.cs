using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Perch.Configuration;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Lifecycle;
using Perch.Transport;

namespace Perch;

/// <summary>Adds Perch to an application.</summary>
public static class PerchServiceCollectionExtensions
{
    /// <summary>
    /// Serves the endpoints of the section <c>Perch</c>. They are bound when the host starts, follow the configuration
    /// while it runs, and drain when it stops. The host needs Kestrel's socket transport
    /// (<c>WebApplication.CreateBuilder</c> and its kin have it).
    /// </summary>
    /// <param name="services">The application's services.</param>
    /// <param name="configuration">The application's configuration; its files are watched where it is the root.</param>
    public static PerchBuilder AddPerch(this IServiceCollection services, IConfiguration configuration)
    {
        services.AddMetrics();
        services.TryAddSingleton(TimeProvider.System);
        // Kestrel's own blocks of 4 KiB cap a receive at as much.
        services.AddSingleton<BlockMemoryPool>();
        services.Replace(ServiceDescriptor.Singleton<IMemoryPoolFactory<byte>, BlockMemoryPoolFactory>());
        services.AddSingleton<ProtocolRegistry>();
        services.AddSingleton<ConnectionRegistry>();
        services.AddHostedService<TimeoutSweep>();
        services.AddSingleton<PerchMetrics>();
        services.TryAddSingleton(DescriptorPlan.OfProcess);
        services.AddSingleton<DescriptorBudget>();
        services.AddSingleton<IDescriptorBudget>(s => s.GetRequiredService<DescriptorBudget>());
        services.AddSingleton<MemoryBudget>();
        services.AddSingleton<IMemoryBudget>(s => s.GetRequiredService<MemoryBudget>());
        services.AddHostedService(s => s.GetRequiredService<MemoryBudget>());
        services.AddSingleton<IAcceptGate, AcceptGates>();
        services.AddHostedService(s => s.GetRequiredService<DescriptorBudget>());
        services.AddSingleton<PipelineServices>();
        services.AddSingleton<EndpointServerFactory>();
        services.AddSingleton<ConfigurationStatus>();
        services.AddSingleton(new RestartKey($"Perch:{nameof(PerchSettings.Loops)}"));
        services.TryAddSingleton(s => ActivatorUtilities.CreateInstance<AppliedConfiguration>(s, configuration));
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<PerchConfigReader>(s, configuration));
        services.AddScoped<EndpointScope>();
        services.AddSingleton(s => ActivatorUtilities.CreateInstance<EndpointManager>(s, configuration));
        services.AddHostedService(s => s.GetRequiredService<EndpointManager>());
        services.AddSingleton(s => new PerchStatus(
            s.GetRequiredService<EndpointManager>(), s.GetRequiredService<ConnectionRegistry>(),
            s.GetRequiredService<ConfigurationStatus>(), s.GetRequiredService<AppliedConfiguration>(),
            s.GetRequiredService<IHostApplicationLifetime>(), s.GetRequiredService<TimeProvider>(), s.GetService<ConfigurationFileWatcher>()));
        services.AddHealthChecks()
            .AddCheck<EndpointsHealthCheck>("endpoints")
            .AddCheck<ConfigurationHealthCheck>("configuration")
            .AddCheck<DescriptorsHealthCheck>("descriptors")
            .AddCheck<MemoryHealthCheck>("memory")
            .AddCheck<StoppingHealthCheck>("stopping");
        if (configuration is IConfigurationRoot root and IConfigurationBuilder builder)
        {
            services.AddSingleton(s => ActivatorUtilities.CreateInstance<ConfigurationFileWatcher>(s, root, FilesOf(builder)));
            services.AddHostedService(s => s.GetRequiredService<ConfigurationFileWatcher>());
        }

        return new(services);
    }

    private static List<string> FilesOf(IConfigurationBuilder builder) =>
        [.. from source in builder.Sources.OfType<FileConfigurationSource>()
            let path = source.FileProvider?.GetFileInfo(source.Path ?? "").PhysicalPath
            where path is not null
            select path];
}
