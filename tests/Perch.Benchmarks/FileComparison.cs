using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text;

namespace Perch.Benchmarks;

/// <summary>
/// One file up and down, through Perch and through what others use for it, in interleaved rounds. What is not installed is
/// left out by name. The files lie in TMPDIR; nothing is held to a processor.
/// </summary>
internal sealed class FileComparison(int mebibytes, int rounds)
{
    private const string Name = "bench.bin";

    private readonly long _length = mebibytes * 1024L * 1024;
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-bench-files-");

    public async Task RunAsync()
    {
        var source = Path.Combine(_folder.FullName, Name);
        await MakeAsync(source);
        using var perch = await ServerProcess.StartAsync("perch-files");
        var others = FileServer.Installed(_folder, source, Console.WriteLine);
        try
        {
            Console.WriteLine("| case | perch, MiB/s | other, MiB/s | ratio (least to most) |");
            Console.WriteLine("|---|---:|---:|---:|");
            foreach (var other in others.Where(server => server.CanUpload)) await CompareAsync($"up, {other.Name}", () => PutAsync(perch.EndPoint, source), () => other.UploadAsync(source));
            foreach (var other in others.Where(server => server.CanDownload)) await CompareAsync($"down, {other.Name}", () => GetAsync(perch.EndPoint), () => other.DownloadAsync(_length));
        }
        finally
        {
            others.ForEach(server => server.Dispose());
            _folder.Delete(recursive: true);
        }
    }

    private async Task CompareAsync(string name, Func<Task> ours, Func<Task> theirs)
    {
        var (perch, other) = (new List<double>(), new List<double>());
        await ours();
        await theirs();
        for (var round = 0; round < rounds; round++)
        {
            perch.Add(await RateAsync(ours));
            other.Add(await RateAsync(theirs));
        }

        RecordComparison.Print(name, perch, other);
    }

    private async Task<double> RateAsync(Func<Task> transfer)
    {
        var started = Stopwatch.GetTimestamp();
        await transfer();
        return mebibytes / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private async Task MakeAsync(string path)
    {
        await using var file = File.Create(path);
        var block = new byte[1024 * 1024];
        new Random(1).NextBytes(block);
        for (var i = 0; i < mebibytes; i++)
        {
            BitConverter.TryWriteBytes(block, i);
            await file.WriteAsync(block);
        }
    }

    /// <summary>Answered when it is durable.</summary>
    private async Task PutAsync(IPEndPoint server, string source)
    {
        using var socket = await FileServer.ConnectAsync(server);
        await socket.SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"PUT {Name} {_length}\n")));
        await socket.SendFileAsync(source);
        if (!(await FileServer.LineAsync(socket)).StartsWith("OK ", StringComparison.Ordinal)) throw new InvalidOperationException("The upload was refused.");
    }

    private async Task GetAsync(IPEndPoint server)
    {
        using var socket = await FileServer.ConnectAsync(server);
        await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {Name}\n"));
        var line = await FileServer.LineAsync(socket);
        if (!line.StartsWith("OK ", StringComparison.Ordinal)) throw new InvalidOperationException($"The download was refused: {line}.");
        await FileServer.ReceiveAsync(socket, _length);
    }
}
