using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

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
