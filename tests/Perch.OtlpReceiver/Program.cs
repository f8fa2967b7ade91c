using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.OtlpReceiver;

// An OTLP/HTTP receiver for tests. Its first line is its address; each line after that is one received item as JSON. It ends when its
// standard input ends, so that it does not outlive the test that started it.
var builder = WebApplication.CreateEmptyBuilder(new());
builder.Logging.ClearProviders();
builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
await using var app = builder.Build();
using var output = TextWriter.Synchronized(new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true });
app.Run(async context =>
{
    Func<byte[], IEnumerable<Received>>? decode = context.Request.Path.Value switch
    {
        "/v1/traces" => OtlpDecoder.Traces,
        "/v1/metrics" => OtlpDecoder.Metrics,
        "/v1/logs" => OtlpDecoder.Logs,
        _ => null,
    };
    if (decode is null || context.Request.ContentType != "application/x-protobuf")
    {
        context.Response.StatusCode = decode is null ? StatusCodes.Status404NotFound : StatusCodes.Status415UnsupportedMediaType;
        return;
    }

    using var body = new MemoryStream();
    await context.Request.Body.CopyToAsync(body);
    foreach (var item in decode(body.ToArray()))
        await output.WriteLineAsync(JsonSerializer.Serialize(item));
    // The body of a full success is an empty message.
    context.Response.ContentType = "application/x-protobuf";
});
await app.StartAsync();
await output.WriteLineAsync(app.Urls.First());
await Console.In.ReadToEndAsync();
await app.StopAsync();
