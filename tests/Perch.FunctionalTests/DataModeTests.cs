using System.Runtime.Versioning;
using Perch.FunctionalTests.Files;
using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests;

/// <summary>The access rights of what the stores create, and the report of data that has wider ones.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class DataModeTests
{
    private const UnixFileMode Folder = (UnixFileMode)0b111_101_000;
    private const UnixFileMode Private = (UnixFileMode)0b110_100_000;
    private const string Warning = "Other users of this machine can read or change";

    private static readonly string[] Folders = ["data", "data/files", "data/files/a", "data/files/.perch", "data/files/.perch/uploads", "data/files/.perch/meta/0"];

    private static readonly string[] Files = ["data/records.db", "data/records.db-wal", "data/records.db-shm", "data/records.db-lock", "data/files/a/b", "data/files/.perch/lock"];

    [Fact]
    public async Task Start_WithoutData_CreatesItForTheOwnerAndTheGroup()
    {
        using var folder = Settings();
        await using var server = await ServeAsync(folder);
        foreach (var path in Folders) Assert.Equal((path, Folder), (path, ModeOf(folder, path)));
        foreach (var path in Files) Assert.Equal((path, Private), (path, ModeOf(folder, path)));
        var meta = Directory.GetFiles(Path.Combine(folder.Root, "data/files/.perch/meta"), "*", SearchOption.AllDirectories);
        Assert.Equal(Private, File.GetUnixFileMode(Assert.Single(meta)));
        Assert.DoesNotContain(Warning, server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_WithWiderData_ReportsItInOneLineAndServesIt()
    {
        using var folder = Settings();
        await using (await ServeAsync(folder))
        {
            // Killed at the end of the block, so that -wal and -shm stay.
        }

        string[] wide = ["data", "data/records.db", "data/records.db-wal", "data/files"];
        foreach (var path in wide) File.SetUnixFileMode(Path.Combine(folder.Root, path), ModeOf(folder, path) | UnixFileMode.OtherRead);

        await using var server = await ServeAsync(folder);
        var line = Assert.Single(server.Output.Split('\n'), line => line.Contains(Warning, StringComparison.Ordinal));
        Assert.Contains("chmod -R g-w,o-rwx " + string.Join(' ', wide.Select(path => $"'{folder.Root}/{path}'")), line, StringComparison.Ordinal);
        Assert.Equal(Folder | UnixFileMode.OtherRead, ModeOf(folder, "data"));
    }

    private static ServerFolder Settings() => new(new ServerSettings()
        .With("record", """{ "Port": 0, "Protocol": "record", "Options": { "Framing": "Line", "Ack": "OK\n" } }""")
        .With("files", """{ "Port": 0, "Protocol": "files" }"""));

    /// <summary>A server that has stored a record and a file.</summary>
    private static async Task<ServerProcess> ServeAsync(ServerFolder folder)
    {
        var server = await ServerProcess.StartAsync(folder);
        using var record = await server.ConnectAsync("record");
        Assert.Equal("OK\n", await record.AskAsync("x\n", 3));
        using var files = FileClient.Connect(await server.Admin.GetPortAsync("files"));
        await files.SendAsync("PUT a/b 1\nx"u8.ToArray());
        Assert.StartsWith("OK 1 ", await files.ReadLineAsync(), StringComparison.Ordinal);
        return server;
    }

    private static UnixFileMode ModeOf(ServerFolder folder, string path) => File.GetUnixFileMode(Path.Combine(folder.Root, path));
}
