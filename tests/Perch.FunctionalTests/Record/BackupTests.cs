using System.Globalization;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary><c>perch-server --backup FILE</c>.</summary>
public sealed class BackupTests
{
    private const string Endpoint = """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK {id}\n" } }""";

    [Fact]
    public async Task Backup_UnderLoad_HasWhatWasAcknowledgedBeforeAndServesInItsPlace()
    {
        using var folder = new ServerFolder(new ServerSettings { Log = "Warning" }.With("record", Endpoint));
        var copy = Path.Combine(folder.Root, "copy.db");
        int before;
        await using (var server = await ServerProcess.StartAsync(folder))
        {
            var sender = new NumberedSender("s", await server.Admin.GetPortAsync("record"), bytes: 50);
            await Poll.UntilAsync(() => Task.FromResult(sender.Acknowledged >= 2000), () => server.Output);
            before = sender.Acknowledged;
            var backup = await ServerProcess.RunAsync(folder, "--backup", copy);
            var during = sender.Acknowledged;
            Assert.Equal((0, ""), (backup.ExitCode, backup.Errors));
            Assert.Matches($"^[0-9]+ records in {copy}, [0-9]+ bytes\\.$", backup.Output);
            await Poll.UntilAsync(() => Task.FromResult(sender.Acknowledged > during), () => "records are stored after the backup");
            server.Signal(ServerProcess.Sigkill);
            await server.WaitForExitAsync();
            await sender.Ended;
        }

        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(copy) & ~(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead));
        Assert.Equal(["copy.db"], Directory.GetFiles(folder.Root, "copy.db*").Select(Path.GetFileName));
        var numbers = DatabaseFile.Query(copy, "SELECT data FROM logs ORDER BY id").ConvertAll(row => int.Parse(row.Split(' ')[1], CultureInfo.InvariantCulture));
        Assert.True(numbers.Count >= before, $"{numbers.Count} of {before}");
        Assert.Equal(Enumerable.Range(0, numbers.Count), numbers);

        var data = Path.Combine(folder.Root, "data");
        foreach (var file in Directory.GetFiles(data, "records.db*"))
            File.Delete(file);
        File.Move(copy, Path.Combine(data, "records.db"));
        await using var restored = await ServerProcess.StartAsync(folder);
        using var client = await restored.ConnectAsync("record");
        var answer = $"OK {numbers.Count + 1}\n";
        Assert.Equal(answer, await client.AskAsync("line\n", answer.Length));
    }

    [Fact]
    public async Task Backup_FileThatExists_IsRefusedAndKept()
    {
        using var folder = await StoredFolderAsync();
        var copy = Path.Combine(folder.Root, "copy.db");
        await File.WriteAllTextAsync(copy, "mine");

        var backup = await ServerProcess.RunAsync(folder, "--backup", copy);

        Assert.Equal((1, $"perch-server: {copy} exists. Name a file that does not exist."), (backup.ExitCode, backup.Errors));
        Assert.Equal("mine", await File.ReadAllTextAsync(copy));
    }

    [Fact]
    public async Task Backup_ItsFolderIsMissing_SaysSo()
    {
        using var folder = await StoredFolderAsync();
        var copy = Path.Combine(folder.Root, "missing", "copy.db");

        var backup = await ServerProcess.RunAsync(folder, "--backup", copy);

        Assert.Equal(1, backup.ExitCode);
        Assert.StartsWith($"perch-server: {copy}.partial cannot be created: ", backup.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Backup_DatabaseIsMissing_SaysSoAndLeavesNothing()
    {
        using var folder = new ServerFolder(new ServerSettings().With("record", Endpoint));

        var backup = await ServerProcess.RunAsync(folder, "--backup", Path.Combine(folder.Root, "copy.db"));

        Assert.Equal(1, backup.ExitCode);
        Assert.StartsWith($"perch-server: {folder.Root}/data/records.db does not exist", backup.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Root, "copy.db*"));
    }

    [Fact]
    public async Task Backup_DatabaseIsDamaged_FailsAndLeavesNothing()
    {
        using var folder = await StoredFolderAsync();
        await using (var database = new FileStream(Path.Combine(folder.Root, "data", "records.db"), FileMode.Open))
        {
            database.Position = 4096;
            await database.WriteAsync(new byte[4096]);
        }

        var backup = await ServerProcess.RunAsync(folder, "--backup", Path.Combine(folder.Root, "copy.db"));

        Assert.Equal(1, backup.ExitCode);
        Assert.Contains("recover", backup.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFiles(folder.Root, "copy.db*"));
    }

    [Fact]
    public async Task Backup_RecordsInPostgres_NamesPgDump()
    {
        using var folder = new ServerFolder(new ServerSettings().With("record", Endpoint));

        var backup = await ServerProcess.RunAsync(
            folder, "--backup=copy.db", "--Perch:Records:Store=Postgres", "--Perch:Records:ConnectionString=Host=db.invalid;Database=perch");

        Assert.Equal(2, backup.ExitCode);
        Assert.Contains("pg_dump", backup.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Backup_WithoutAFile_SaysSo()
    {
        using var folder = new ServerFolder(new ServerSettings().With("record", Endpoint));

        var backup = await ServerProcess.RunAsync(folder, "--backup");

        Assert.Equal((2, "perch-server: '--backup' has no file. Write --backup FILE."), (backup.ExitCode, backup.Errors));
    }

    private static async Task<ServerFolder> StoredFolderAsync()
    {
        var folder = new ServerFolder(new ServerSettings().With("record", Endpoint));
        await using var server = await ServerProcess.StartAsync(folder);
        using var client = await server.ConnectAsync("record");
        Assert.Equal("OK 1\n", await client.AskAsync("line\n", 5));
        server.Signal(ServerProcess.Sigterm);
        await server.WaitForExitAsync();
        return folder;
    }
}
