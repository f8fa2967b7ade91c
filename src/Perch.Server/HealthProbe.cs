namespace Perch.Server;

/// <summary><c>perch-server --health</c>: asks the server that runs on this machine, so that a container needs no curl.</summary>
internal static class HealthProbe
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    /// <returns>0 where it is ready, else 1; the answer goes to standard output.</returns>
    public static async Task<int> RunAsync(IConfiguration configuration)
    {
        var url = configuration.GetSection("Kestrel:Endpoints").GetChildren().Select(e => e["Url"]).FirstOrDefault(u => u is not null)
            ?? throw new ServerCommandException("--health needs the admin endpoint's address: set Kestrel:Endpoints:Admin:Url.");
        var address = BindingAddress.Parse(url);
        var host = address.Host is "0.0.0.0" or "[::]" or "*" or "+" ? "localhost" : address.Host;
#pragma warning disable MA0039 // The probe speaks to this machine only; whether the certificate is trusted elsewhere is not asked here.
        using var handler = new HttpClientHandler { ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator };
#pragma warning restore MA0039
        using var client = new HttpClient(handler) { Timeout = Limit };
        // With the key the answer has the reasons.
        if (configuration["Admin:ApiKey"] is { Length: > 0 } key) client.DefaultRequestHeaders.TryAddWithoutValidation("X-Api-Key", key);
        try
        {
            using var response = await client.GetAsync(new Uri($"{address.Scheme}://{host}:{address.Port}/health/ready"));
            await Console.Out.WriteLineAsync(await response.Content.ReadAsStringAsync());
            return response.IsSuccessStatusCode ? ExitCode.Stopped : ExitCode.Failed;
        }
        catch (Exception exception) when (exception is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync($"perch-server: {url} does not answer: {exception.GetBaseException().Message}");
            return ExitCode.Failed;
        }
    }
}
