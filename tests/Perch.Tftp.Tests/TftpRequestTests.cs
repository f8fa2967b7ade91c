using System.Text;
using Microsoft.Extensions.DependencyInjection;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Diagnostics;
using Perch.Tests.Shared;

namespace Perch.Tftp.Tests;

/// <summary>What is refused before there is a transfer, and what is agreed on.</summary>
public sealed class TftpRequestTests
{
    private const string Writable = """{ "AllowWrite": true }""";

    public static TheoryData<string> BadNames => new(
        "", ".", "..", "../etc/passwd", "/../etc/passwd", "a/../../b", "a/../b", ".perch/lock", "/.perch/lock", ".PERCH/lock", "a/.hidden", "a/", "/", "//", "./", "a/.", "a//",
        "..\\..\\a", "\\..\\a", ".\\.perch\\lock", "a\\", "a\nb", "\u001b[2J", "photo\u202Egpj.exe", new string('a', 600), string.Join('/', Enumerable.Repeat("a", 33)));

    [Theory]
    [MemberData(nameof(BadNames))]
    public async Task Request_NameThatBreaksARule_IsAccessViolation(string name)
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        peer.Read(name);
        AssertSafe(await peer.ErrorAsync(2), host, name);
        peer.Write(name);
        AssertSafe(await peer.ErrorAsync(2), host, name);
        Assert.Empty(await host.Store.NamesAsync());
    }

    [Fact]
    public async Task Request_NameThatIsNotUtf8_IsAccessViolation()
    {
        await using var host = await TftpHost.StartAsync();
        using var peer = host.Connect();
        peer.Ask([0, 1, 0xC0, 0xAE, 0xC0, 0xAE, 0x2F, 0, .. "octet\0"u8]);
        await peer.ErrorAsync(2);
        peer.Ask([0, 1, (byte)'a', 0xFF, (byte)'b', 0, .. "octet\0"u8]);
        await peer.ErrorAsync(2);
        peer.Ask([0, 1, 0xFF, 0xFF, 0, .. "octet\0"u8]);
        await peer.ErrorAsync(2);
    }

    /// <summary>Names that servers on a file system accept: GRUB's joined paths, Windows' separators, the bytes that network cards add.</summary>
    [Theory]
    [InlineData("/EFI/x")]
    [InlineData("//EFI/x")]
    [InlineData("EFI//x")]
    [InlineData("EFI///x")]
    [InlineData("/EFI/./x")]
    [InlineData("./EFI/x")]
    [InlineData(".//./EFI/././x")]
    [InlineData("\\EFI\\x")]
    [InlineData("EFI\\/x")]
    [InlineData("EFI/x\u00ff")]
    [InlineData("EFI/x\u00ff\u00ff\u00c3")]
    public async Task Read_NameThatAFileSystemWouldTake_IsServed(string name)
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("EFI/x", "hello");
        using var peer = host.Connect();
        peer.Ask([0, 1, .. Encoding.Latin1.GetBytes(name), 0, .. "octet\0"u8]);
        Assert.Equal("hello"u8.ToArray(), await peer.DataAsync(1));
        peer.Acknowledge(1);
        await host.UntilEndedAsync("completed");
    }

    [Fact]
    public async Task Write_NameThatAFileSystemWouldTake_IsStoredUnderTheMappedName()
    {
        await using var host = await TftpHost.StartAsync(Writable);
        using var peer = host.Connect();
        await peer.WriteAllAsync("\\logs\\.\\a", [1]);
        Assert.Equal(["logs/a"], await host.Store.NamesAsync());
    }

    [Theory]
    [InlineData(true, "\\Boot\\BCD", true)]
    [InlineData(true, "boot/bcd", true)]
    [InlineData(false, "\\Boot\\BCD", false)]
    public async Task Read_LowerCase_MapsTheNameAndNotTheFolder(bool lowerCase, string name, bool found)
    {
        await using var host = await TftpHost.StartAsync($$"""{ "Folder": "Win", "LowerCase": {{(lowerCase ? "true" : "false")}} }""");
        await host.Store.PutAsync("Win/boot/bcd", "hello");
        using var peer = host.Connect();
        peer.Read(name);
        if (!found)
        {
            await peer.ErrorAsync(1);
            return;
        }

        Assert.Equal("hello"u8.ToArray(), await peer.DataAsync(1));
        peer.Acknowledge(1);
    }

    [Theory]
    [InlineData("missing")]
    [InlineData("/etc/passwd")]
    [InlineData("%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("long/600")]
    public async Task Read_NoSuchFile_IsError1AndNamesNoPath(string name)
    {
        await using var host = await TftpHost.StartAsync();
        using var peer = host.Connect();
        name = name.Replace("600", string.Join('/', Enumerable.Repeat(new string('a', 146), 4)), StringComparison.Ordinal);
        peer.Read(name);
        AssertSafe(await peer.ErrorAsync(1), host, name);
        Assert.Equal(1, host.Ended("not-found"));
        Assert.Equal(host.EndPoint, peer.Transfer);
    }

    [Fact]
    public async Task Read_SlashAtTheBegin_IsTheRoot()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("boot/x", "hello");
        using var peer = host.Connect();
        Assert.Equal("hello"u8.ToArray(), await peer.ReadAllAsync("/boot/x"));
    }

    [Fact]
    public async Task Read_WithAFolder_SeesThatAlone()
    {
        await using var host = await TftpHost.StartAsync("""{ "Folder": "boot", "AllowWrite": true }""");
        await host.Store.PutAsync("boot/x", "hello");
        await host.Store.PutAsync("secret", "no");
        using var peer = host.Connect();
        Assert.Equal("hello"u8.ToArray(), await peer.ReadAllAsync("x"));
        peer.Read("secret");
        await peer.ErrorAsync(1);
        await peer.WriteAllAsync("y", [1]);
        Assert.Equal([1], await host.Store.ReadAsync("boot/y"));
    }

    [Fact]
    public async Task Read_ALinkOutOfTheStore_IsNotServed()
    {
        await using var host = await TftpHost.StartAsync();
        File.CreateSymbolicLink(host.Folder.PathOf("passwd"), "/etc/passwd");
        Directory.CreateSymbolicLink(host.Folder.PathOf("etc"), "/etc");
        using var peer = host.Connect();
        foreach (var name in (string[])["passwd", "etc/passwd"])
        {
            peer.Read(name);
            await peer.ErrorAsync(1);
        }
    }

    /// <summary>lwIP's client sends from 69, U-Boot's from 1024 and up; here a port of the same list that a test may have.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Request_FromAReflectorsPort_IsServed(bool singlePort)
    {
        await using var host = await TftpHost.StartAsync($$"""{ "AllowWrite": true, "SinglePort": {{(singlePort ? "true" : "false")}} }""");
        using var peer = host.Connect("127.34.56.80", 1900);
        await peer.WriteAllAsync("f", [1, 2, 3]);
        Assert.Equal([1, 2, 3], await peer.ReadAllAsync("f"));
        Assert.Equal(0, host.Traffic.Dropped(DropReason.SourcePort));
    }

    [Theory]
    [InlineData("00030001")]
    [InlineData("00040001")]
    [InlineData("0006")]
    [InlineData("00050005")]
    [InlineData("4D2D534541524348")]
    public async Task Datagram_FromAReflectorsPortThatIsNoRequest_IsDroppedAndLoggedOnceAMinute(string hex)
    {
        await using var host = await TftpHost.StartAsync();
        using var reflector = host.Connect("127.34.56.81", 1900);
        reflector.Ask(Convert.FromHexString(hex));
        reflector.Ask(Convert.FromHexString(hex));
        await Bounded.UntilAsync(() => host.Traffic.Dropped(DropReason.SourcePort) == 2);
        Assert.False(reflector.HasPacket);
        var line = Assert.Single(host.Logged("SourcePortRefused"));
        Assert.Contains("127.34.56.81:1900", line.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("00", null)]
    [InlineData("0001", 4)]
    [InlineData("000166", 4)]
    [InlineData("00016600", 4)]
    [InlineData("000166006F63746574", 4)]
    [InlineData("00016600006D61696C00", 4)]
    [InlineData("000166006D61696C00", 4)]
    [InlineData("0001660000", 4)]
    [InlineData("00030001", 5)]
    [InlineData("00040001", 5)]
    [InlineData("0006", 5)]
    [InlineData("0005000100", null)]
    [InlineData("00050005", null)]
    [InlineData("0007", null)]
    [InlineData("FFFFFFFF", null)]
    [InlineData("", null)]
    public async Task Datagram_ThatIsNoRequest_IsRefusedOrIgnored(string hex, int? error)
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Ask(Convert.FromHexString(hex));
        if (error is { } code) await peer.ErrorAsync(code);
        // Had it been answered, that would come first.
        peer.Read("f");
        Assert.Equal("hello"u8.ToArray(), await peer.DataAsync(1));
        peer.Acknowledge(1);
    }

    [Fact]
    public async Task Request_OptionTwice_IsError8()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f", "blksize 512 BLKSIZE 1024");
        await peer.ErrorAsync(8);
    }

    [Theory]
    [InlineData("", null)]
    [InlineData("multicast 1 x y", null)]
    [InlineData("blksize 7", null)]
    [InlineData("timeout 0 windowsize 0 tsize x", null)]
    [InlineData("blksize 8", "blksize 8")]
    [InlineData("BlkSize 1428 x y", "blksize 1428")]
    [InlineData("blksize 99999", "blksize 65464")]
    [InlineData("tsize 0", "tsize 5")]
    [InlineData("tsize 17", "tsize 5")]
    [InlineData("timeout 3", "timeout 3")]
    [InlineData("timeout 256 utimeout 250000", "utimeout 250000")]
    [InlineData("windowsize 16", "windowsize 16")]
    [InlineData("windowsize 1000", "windowsize 64")]
    [InlineData("windowsize 64 blksize 65464", "blksize 65464 windowsize 8")]
    [InlineData("tsize 0 blksize 1468 timeout 1 windowsize 4", "tsize 5 blksize 1468 timeout 1 windowsize 4")]
    public async Task Read_Options_AreAcceptedWhereTheyCanBe(string asked, string? accepted)
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f", asked);
        if (accepted is not null)
        {
            Assert.Equal(accepted, await peer.OptionsAsync());
            peer.Acknowledge(0);
        }

        Assert.Equal("hello"u8.ToArray()[..5].Take(8), await peer.DataAsync(1));
        peer.Acknowledge(1);
        await host.UntilEndedAsync("completed");
    }

    [Fact]
    public async Task Read_SizeOfAnEmptyFile_IsNotTold()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("empty", "");
        using var peer = host.Connect();
        peer.Read("empty", "tsize 0 blksize 512");
        Assert.Equal("blksize 512", await peer.OptionsAsync());
        peer.Acknowledge(0);
        Assert.Empty(await peer.DataAsync(1));
        peer.Acknowledge(1);
    }

    [Fact]
    public async Task Read_SizeInNetascii_IsNotTold()
    {
        await using var host = await TftpHost.StartAsync();
        await host.Store.PutAsync("f", "a\n");
        using var peer = host.Connect();
        peer.Read("f", "tsize 0", "NetASCII");
        Assert.Equal("a\r\n"u8.ToArray(), await peer.DataAsync(1));
        peer.Acknowledge(1);
    }

    [Fact]
    public async Task Write_NotAllowed_IsAccessViolation()
    {
        await using var host = await TftpHost.StartAsync();
        using var peer = host.Connect();
        peer.Write("f");
        Assert.Equal("this server does not allow it", await peer.ErrorAsync(2));
        Assert.Equal(1, host.Ended("refused", "write"));
        Assert.Single(host.Logged("TftpRefused"));
    }

    [Fact]
    public async Task Read_NotAllowed_IsAccessViolation()
    {
        await using var host = await TftpHost.StartAsync("""{ "AllowRead": false }""");
        await host.Store.PutAsync("f", "hello");
        using var peer = host.Connect();
        peer.Read("f");
        await peer.ErrorAsync(2);
    }

    [Fact]
    public async Task Request_OverTheCapOfItsSource_IsTold()
    {
        await using var host = await TftpHost.StartAsync("""{ "MaxTransfersPerSource": 2 }""");
        await host.Store.PutAsync("f", "hello");
        using var first = host.Connect();
        using var second = host.Connect();
        using var third = host.Connect();
        using var elsewhere = host.Connect("127.0.0.2");
        foreach (var peer in (TftpPeer[])[first, second])
        {
            peer.Read("f");
            await peer.DataAsync(1);
        }

        third.Read("f");
        Assert.Equal("too many transfers are running, try again later", await third.ErrorAsync(0));
        Assert.Equal(5, (await elsewhere.ReadAllAsync("f")).Length);
        first.Acknowledge(1);
        await host.UntilEndedAsync("completed", times: 2);
        Assert.Equal(5, (await third.ReadAllAsync("f")).Length);
        second.Acknowledge(1);
    }

    [Fact]
    public async Task Request_NoDescriptorIsLeftForItsPort_IsRefusedAsBusy()
    {
        await using var host = await TftpHost.StartAsync(configure: services => services
            .AddSingleton(new DescriptorPlan(10_000)).AddSingleton<IDescriptorBudget, Unlimited>());
        await host.Store.PutAsync("f", "hello");
        while (host.Descriptors.TryTakeSession())
        {
            // Up to the limit.
        }

        using var peer = host.Connect();
        peer.Read("f");

        Assert.Equal("too many transfers are running, try again later", await peer.ErrorAsync(0));
        await host.UntilEndedAsync("busy");
        host.Descriptors.ReturnSession();
        Assert.Equal(5, (await peer.ReadAllAsync("f")).Length);
    }

    [Fact]
    public async Task Request_WhenTheTableIsFull_TakesThePlaceOfOneThatNeverAnswered()
    {
        await using var host = await TftpHost.StartAsync("""{ "MaxTransfers": 2 }""");
        await host.Store.PutAsync("f", new string('x', 600));
        using var proven = host.Connect();
        using var silent = host.Connect();
        using var third = host.Connect();
        proven.Read("f");
        await proven.DataAsync(1);
        proven.Acknowledge(1);
        await proven.DataAsync(2);
        silent.Read("f");
        await silent.DataAsync(1);

        Assert.Equal(600, (await third.ReadAllAsync("f")).Length);
        await host.UntilEndedAsync("no-peer");
        proven.Acknowledge(2);
        await host.UntilEndedAsync("completed", times: 2);
        Assert.Equal(0, host.Active);
    }

    [Fact]
    public async Task Request_OverTheCapOfConnections_LeavesNothingBehind()
    {
        await using var host = await TftpHost.StartAsync("""{ "AllowWrite": true }""", guards: """{ "MaxConnections": 1 }""");
        await host.Store.PutAsync("f", "hello");
        using var first = host.Connect();
        using var second = host.Connect();
        first.Read("f");
        await first.DataAsync(1);
        second.Write("g");
        await Bounded.UntilAsync(() => host.Registry.Recent().Any(c => c.Outcome == ConnectionOutcome.Rejected));
        await Bounded.UntilAsync(() => host.Store.Totals.Partials == 0);
        first.Acknowledge(1);
        await host.UntilEndedAsync("completed");
        // The transfer has ended before its place is free.
        await Bounded.UntilAsync(() => host.Registry.Recent().Length == 2);
        second.Write("g");
        await second.AcknowledgedAsync(0);
        second.Error(0);
        await host.UntilEndedAsync("peer-error", "write");
    }

    private static void AssertSafe(string text, TftpHost host, string name)
    {
        Assert.DoesNotContain(host.Folder.Root, text, StringComparison.Ordinal);
        Assert.True(name.Length < 4 || !text.Contains(name, StringComparison.Ordinal), text);
        Assert.InRange(Encoding.ASCII.GetByteCount(text), 1, 128);
    }

    /// <summary>The store has descriptors for its files, so that only the port of the transfer is missing.</summary>
    private sealed class Unlimited : IDescriptorBudget
    {
        public bool TryTake(int count, out DescriptorClaim claim)
        {
            claim = new(count, 0);
            return true;
        }

        public void Return(DescriptorClaim claim)
        {
            // Nothing is counted.
        }
    }
}
