using Perch.Diagnostics;

namespace Perch.Server;

/// <summary><c>perch-server --check</c>.</summary>
internal static class ConfigurationCheck
{
    public static async Task<int> RunAsync(IServiceProvider services)
    {
        var plan = await services.GetRequiredService<PerchStatus>().CheckAsync();
        foreach (var endpoint in plan.Endpoints) await Console.Out.WriteLineAsync($"{endpoint.Name}\t{endpoint.Protocol}\t{endpoint.Address}");
        foreach (var warning in plan.Warnings) await Console.Out.WriteLineAsync($"Warning: {warning}.");
        await Console.Out.WriteLineAsync($"The configuration is valid: {plan.Endpoints.Count} endpoints.");
        return ExitCode.Stopped;
    }
}
