using System.Globalization;
using System.Security.Cryptography;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Cli;

/// <summary>
/// One transfer of <c>perch</c>, cut off by kill -9 of either side until it is done. <c>PERCH_CUTS</c> sets how often (20 where it is
/// not set).
/// </summary>
internal static class TransferCuts
{
    private const int UnreachableCode = 4;
    private const int CutCode = 7;
    private const int Length = 24 * 1024 * 1024;

    private static readonly int Cuts = int.Parse(Environment.GetEnvironmentVariable("PERCH_CUTS") ?? "20", CultureInfo.InvariantCulture);

    public static async Task RunAsync(bool isPut)
    {
        // So slow that most of the cuts fall into the transfer.
        var rate = $"{Length / 1024 / Cuts * 6}k";
        var random = new Random(isPut ? 1 : 2);
        var bytes = new byte[Length];
        random.NextBytes(bytes);
        using var work = new ServerFolder();
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("files", $$"""{ "Port": {{FreePort.Find()}}, "Protocol": "files" }"""));
        var server = await ServerProcess.StartAsync(folder);
        var url = $"files://127.0.0.1:{await server.Admin.GetPortAsync("files")}/a";
        await File.WriteAllBytesAsync(Path.Combine(work.Root, "source"), bytes);
        if (!isPut) await PerchClient.SucceedAsync(work.Root, "put", url, "source");
        string[] arguments = isPut ? ["put", url, "source", "--limit-rate", rate] : ["get", url, "back", "--limit-rate", rate];
        var client = PerchClient.Start(work.Root, arguments);
        var cuts = 0;
        try
        {
            for (; cuts < Cuts && client is not { HasExited: true, ExitCode: 0 }; cuts++)
            {
                // The moment is what is random here, not a wait for something.
                await Task.Delay(random.Next(20, 250));
                if (random.Next(2) == 0)
                {
                    if (!client.HasExited) client.Signal(ServerProcess.Sigkill);
                    await client.DisposeAsync();
                    client = PerchClient.Start(work.Root, arguments);
                }
                else
                {
                    server.Signal(ServerProcess.Sigkill);
                    await server.WaitForExitAsync();
                    await server.DisposeAsync();
                    server = await ServerProcess.StartAsync(folder);
                }
            }

            for (var ended = await client.EndAsync(); ended.ExitCode != 0; ended = await client.EndAsync())
            {
                // One that found no server when it began ends at once, and is begun again.
                Assert.True(ended.ExitCode is UnreachableCode or CutCode, ended.Errors);
                await client.DisposeAsync();
                client = PerchClient.Start(work.Root, arguments);
            }

            Assert.True(cuts >= Cuts / 2, $"It was done after {cuts} cuts.");
            if (isPut) await PerchClient.SucceedAsync(work.Root, "get", url, "back");
            Assert.Equal(Convert.ToHexString(SHA256.HashData(bytes)), Convert.ToHexString(SHA256.HashData(await File.ReadAllBytesAsync(Path.Combine(work.Root, "back")))));
        }
        finally
        {
            await client.DisposeAsync();
            await server.DisposeAsync();
        }
    }
}
