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
            foreach (var other in others.Where(server => server.CanUpload)) Compare($"up, {other.Name}", () => Put(perch.EndPoint, source), () => other.Upload(source), () => Clear(perch.EndPoint, other));
            Put(perch.EndPoint, source);
            foreach (var other in others.Where(server => server.CanDownload)) Compare($"down, {other.Name}", () => Get(perch.EndPoint), () => other.Download(_length));
        }
        finally
        {
            others.ForEach(server => server.Dispose());
            _folder.Delete(recursive: true);
        }
    }

    private void Compare(string name, Action ours, Action theirs, Action? clear = null)
    {
        var (perch, other) = (new List<double>(), new List<double>());
        clear?.Invoke();
        ours();
        theirs();
        for (var round = 0; round < rounds; round++)
        {
            clear?.Invoke();
            Settle();
            perch.Add(Rate(ours));
            Settle();
            other.Add(Rate(theirs));
        }

        RecordComparison.Print(name, perch, other);
    }

    private double Rate(Action transfer)
    {
        var started = Stopwatch.GetTimestamp();
        transfer();
        return mebibytes / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    /// <summary>What one has left to the system to write is not to be the next one's burden: only Perch syncs what it takes.</summary>
    private static void Settle()
    {
        using var sync = Process.Start("sync");
        sync.WaitForExit();
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

    /// <summary>Each upload makes a new file: to free the pages of an old one takes a while, and some do it while the client waits.</summary>
    private static void Clear(IPEndPoint perch, FileServer other)
    {
        using var socket = FileServer.Connect(perch);
        socket.Send(Encoding.ASCII.GetBytes($"DELETE {Name}\n"));
        FileServer.Line(socket);
        other.Clear();
    }

    /// <summary>Answered when it is durable.</summary>
    private void Put(IPEndPoint server, string source)
    {
        using var socket = FileServer.Connect(server);
        socket.Send(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"PUT {Name} {_length}\n")));
        socket.SendFile(source);
        if (!FileServer.Line(socket).StartsWith("OK ", StringComparison.Ordinal)) throw new InvalidOperationException("The upload was refused.");
    }

    private void Get(IPEndPoint server)
    {
        using var socket = FileServer.Connect(server);
        socket.Send(Encoding.ASCII.GetBytes($"GET {Name}\n"));
        var line = FileServer.Line(socket);
        if (!line.StartsWith("OK ", StringComparison.Ordinal)) throw new InvalidOperationException($"The download was refused: {line}.");
        FileServer.Receive(socket, _length);
    }
}
