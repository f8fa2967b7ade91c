using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Perch.Server.Telemetry;

namespace Perch.FunctionalTests.Telemetry;

public sealed class OtlpPushTests
{
    [Fact]
    public async Task Stop_WithAnOtlpEndpoint_PushesTheLastNumbers()
    {
        var pushed = new TaskCompletionSource<(string? ContentType, byte[] Body)>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var collector = await StartCollectorAsync(pushed);
        var host = await TinyHost.StartAsync(
        [
            new("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Urls.First()),
            new("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ]);
        host.CreateMeter().CreateCounter<long>("perch.messages").Add(1);

        await host.DisposeAsync();

        // Pushed before the host has gone, so there is nothing to wait for.
        Assert.True(pushed.Task.IsCompleted);
        var (contentType, body) = await pushed.Task;
        Assert.Equal("application/x-protobuf", contentType);
        Assert.True(body.AsSpan().IndexOf("perch.messages"u8) >= 0);
        // A view renames a metric for both exporters.
        Assert.True(body.AsSpan().IndexOf("dotnet.assemblies"u8) >= 0);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "not a url")]
    public void AddPerchTelemetry_AddressIsNoUrl_SaysWhichKeyAndTheCure(string key, string value)
    {
        var configuration = new ConfigurationBuilder().AddInMemoryCollection([new(key, value)]).Build();

        var error = Assert.Throws<Perch.Configuration.PerchConfigurationException>(() => new ServiceCollection().AddPerchTelemetry(configuration));

        Assert.Equal([new(key, $"'{value}' is not a URL", "Write a URL such as http://collector:4317, or leave it empty")], error.Faults);
    }

    private static async Task<WebApplication> StartCollectorAsync(TaskCompletionSource<(string? ContentType, byte[] Body)> pushed)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(async context =>
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body);
            if (context.Request.Path == "/v1/metrics")
                pushed.TrySetResult((context.Request.ContentType, body.ToArray()));
        });
        await app.StartAsync();
        return app;
    }
}
