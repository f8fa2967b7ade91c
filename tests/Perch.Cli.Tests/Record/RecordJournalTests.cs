using System.Text;
using Microsoft.Extensions.Time.Testing;
using Perch.Cli.Record;

namespace Perch.Cli.Tests.Record;

public sealed class RecordJournalTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("perch-");

    private string FilePath => Path.Combine(_folder.FullName, "state", "journal");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public void Open_BehindARunThatWasKilled_HasWhatWasNotAcknowledged()
    {
        string sender;
        long first;
        using (var journal = Open())
        {
            (sender, first) = (journal.Sender, journal.First);
            foreach (var line in (string[])["one", "", "three ü"]) journal.Add(Encoding.UTF8.GetBytes(line));
            journal.Acknowledge();
            journal.Write();
        }

        using var next = Open();
        Assert.Equal((sender, first + 1, first + 3), (next.Sender, next.First, next.Next));
        Assert.Equal(["", "three ü"], Lines(next));
    }

    [Fact]
    public void Open_CutAtEveryByte_HasWholeLinesOnlyAndGoesOn()
    {
        long first;
        using (var journal = Open())
        {
            first = journal.First;
            journal.Add("one"u8);
            journal.Add("two"u8);
            journal.Write();
        }

        var whole = File.ReadAllBytes(FilePath);
        var header = Array.IndexOf(whole, (byte)'\n', Array.IndexOf(whole, (byte)'\n') + 1) + 1;
        for (var cut = header; cut <= whole.Length; cut++)
        {
            File.WriteAllBytes(FilePath, whole[..cut]);
            using (var journal = Open())
            {
                Assert.Equal(((string[])["one", "two"]).Take((int)(journal.Next - first)), Lines(journal));
                journal.Add("next"u8);
                journal.Write();
            }

            using var again = Open();
            Assert.Equal("next", Lines(again)[^1]);
        }
    }

    [Fact]
    public void Open_OfAnotherKindOfFile_ChangesNothing()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        foreach (var content in (string[])["my diary", "my diary\n", "perch-record 1 a b\n", "perch-record 1 a\nx\n", "perch-record 1 a\n=5\n+9 gap\n"])
        {
            File.WriteAllText(FilePath, content);
            Assert.Equal(ExitCode.LocalFile, Assert.Throws<CliException>(() => Open()).ExitCode);
            Assert.Equal(content, File.ReadAllText(FilePath));
        }
    }

    [Fact]
    public void Open_WhileAnotherRunHasIt_IsRefused()
    {
        using var journal = Open();
        Assert.Contains("--state", Assert.Throws<CliException>(() => Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Open_ForAnotherSender_IsRefusedWhileLinesWait()
    {
        using (var journal = Open("web1"))
        {
            journal.Add("one"u8);
        }

        Assert.Equal(ExitCode.Usage, Assert.Throws<CliException>(() => Open("web2")).ExitCode);
        using (var journal = Open("web1")) journal.Acknowledge();
        using var other = Open("web2");
        Assert.Equal("web2", other.Sender);
    }

    [Fact]
    public void Open_OfANewFile_BeginsBehindAllNumbersOfALostOne()
    {
        long last;
        using (var journal = Open("web1", TimeSpan.Zero))
        {
            for (var i = 0; i < 1000; i++) journal.Add("line"u8);
            last = journal.Next;
        }

        File.Delete(FilePath);
        using var next = Open("web1", TimeSpan.FromSeconds(1));
        Assert.True(next.First > last);
    }

    [Fact]
    public void Write_OfMuch_KeepsTheFileSmall()
    {
        using (var journal = Open())
        {
            var line = new byte[10_000];
            for (var i = 0; i < 3000; i++)
            {
                journal.Add(line);
                if (journal.Next - journal.First > 10) journal.Acknowledge();
                journal.Write();
            }

            Assert.InRange(new FileInfo(FilePath).Length, 10 * line.Length, 5_000_000);
        }

        using var next = Open();
        Assert.Equal(10, next.Next - next.First);
    }

    private static List<string> Lines(RecordJournal journal)
    {
        var lines = new List<string>();
        for (var sequence = journal.First; sequence < journal.Next; sequence++) lines.Add(Encoding.UTF8.GetString(journal[sequence]));
        return lines;
    }

    private RecordJournal Open(string? sender = null, TimeSpan later = default)
    {
        var time = new FakeTimeProvider();
        time.Advance(later);
        return RecordJournal.Open(FilePath, sender, time);
    }
}
