using Microsoft.Extensions.DependencyInjection;
using Perch.Files;
using Perch.FunctionalTests.Datagrams;
using Perch.FunctionalTests.Files;
using Perch.FunctionalTests.Hosting;
using Perch.Records;
using Perch.Tftp;

namespace Perch.FunctionalTests.Telemetry;

/// <summary>A server with endpoints of each kind, after traffic that gives every instrument at least one measurement.</summary>
internal static class SeriesScene
{
    private const string Lines = """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""";

    public static async Task<PerchHost> StartAsync()
    {
        var host = await PerchHost.StartAsync(new ServerSettings { Log = "Warning" }
            .With("echo", """{ "Port": 0, "Protocol": "echo", "Options": { "Framing": "Line" } }""")
            .With("echo-udp", """{ "Port": 0, "Transport": "Udp", "Protocol": "echo" }""")
            .With("record", Lines)
            .With("upload", """{ "Port": 0, "Protocol": "upload" }""")
            .With("files", """{ "Port": 0, "Protocol": "files" }""")
            .With("tftp", """{ "Port": 0, "Transport": "Udp", "Protocol": "tftp" }"""));
        await ExchangeAsync(host);
        MeasureFailures(host.Services);
        return host;
    }

    private static async Task ExchangeAsync(PerchHost host)
    {
        using (var echo = await host.ConnectAsync("echo"))
            Assert.Equal("GOT:x", await echo.AskAsync("x\n", 5));
        using (var echo = await UdpClientSocket.ConnectAsync(host.Admin, "echo-udp"))
            Assert.Equal("GOT:x", await echo.AskAsync("x"));
        using (var record = await host.ConnectAsync("record"))
            Assert.Equal("OK 1\n", await record.AskAsync("one\n", 5));
        using (var upload = await host.ConnectAsync("upload"))
        {
            await upload.SendAsync("bytes");
            upload.EndInput();
            Assert.NotEmpty(await upload.ReceiveToEndAsync());
        }

        using (var files = FileClient.Connect(await host.Admin.GetPortAsync("files")))
        {
            await files.SendAsync("PUT a 3\nabc");
            Assert.StartsWith("OK 3", await files.ReadLineAsync());
            Assert.StartsWith("OK 3", await files.AskAsync("GET a"));
            await files.ReadHashAsync(3);
            Assert.StartsWith("OK", await files.AskAsync("DELETE a"));
        }

        await Poll.UntilAsync(async () => (await host.Admin.GetConnectionsAsync()).Count == 0, () => host.Log);
        GC.Collect();
        try { throw new InvalidOperationException("This exception is measured."); }
        catch (InvalidOperationException) { }
    }

    // Retransmissions, foreign datagrams and failures of a store take seconds or a broken disk to provoke.
    private static void MeasureFailures(IServiceProvider services)
    {
        var files = services.GetRequiredService<FileMetrics>();
        files.Failed("io");
        services.GetRequiredService<RecordMetrics>().Refused(new RecordBatch("record", "127.0.0.1:1"), "unavailable");
        var transfer = services.GetRequiredService<TftpMetrics>().Begin("tftp", isWrite: false, files.BeginDownload("tftp"));
        transfer.AddBytes(1);
        transfer.AddResent(1);
        transfer.AddStranger();
        transfer.End(TftpOutcome.Completed);
    }
}
