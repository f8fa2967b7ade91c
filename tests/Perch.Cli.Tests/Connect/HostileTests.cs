using System.Net;
using System.Net.Sockets;
using System.Text;
using Perch.Cli.Tests.Hosting;

namespace Perch.Cli.Tests.Connect;

/// <summary>Servers that do what they should not: one clear line, the right exit code, bounded memory.</summary>
public sealed class HostileTests
{
    [Fact]
    public async Task NobodyListens_IsUnreachable()
    {
        using var taken = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        taken.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var run = await CliRun.RunAsync("connect", $"127.0.0.1:{((IPEndPoint)taken.LocalEndPoint!).Port}");
        run.AssertFailed(ExitCode.Unreachable, "nothing listens there");
    }

    [Fact]
    public async Task UnixSocket_ThatIsNotThere_IsUnreachable() => (await CliRun.RunAsync("send", "unix:/nowhere/x.sock", "hi")).AssertFailed(ExitCode.Unreachable, "/nowhere/x.sock");

    [Fact]
    public async Task UnknownHost_IsTold() => (await CliRun.RunAsync("send", "no-such-host.invalid:1", "hi")).AssertFailed(ExitCode.UnknownHost, "no-such-host.invalid");

    [Fact]
    public async Task Datagram_ToNobody_IsUnreachable()
    {
        using var closed = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        closed.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)closed.LocalEndPoint!).Port;
        closed.Dispose();
        (await CliRun.RunAsync("send", $"udp://127.0.0.1:{port}", "hi")).AssertFailed(ExitCode.Unreachable, "nothing listens there");
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("send")]
    public async Task NeverAnswers_TimesOut(string verb)
    {
        await using var peer = Peer.Silent();
        var run = await CliRun.RunWithAsync("hi\n", verb, peer.Address, "--timeout", "200ms");
        run.AssertFailed(ExitCode.TimedOut, "--timeout");
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("send")]
    public async Task NeverReads_TimesOut(string verb)
    {
        await using var peer = Peer.Silent();
        var run = await CliRun.RunWithAsync(new string('x', 15_000_000) + "\n", verb, peer.Address, "--timeout", "300ms");
        run.AssertFailed(ExitCode.TimedOut, "The peer took nothing for 0.3 s");
    }

    [Fact]
    public async Task TlsHandshake_ThatIsNeverAnswered_TimesOut()
    {
        await using var peer = Peer.Silent();
        (await CliRun.RunAsync("connect", $"tls://{peer.Address}", "--timeout", "200ms")).AssertFailed(ExitCode.TimedOut, "did not answer within 0.2 s");
    }

    [Fact]
    public async Task TlsHandshake_WithAPeerThatSpeaksNoTls_IsATlsFault()
    {
        await using var peer = Peer.Saying("HTTP/1.1 400 Bad Request\r\n\r\n");
        (await CliRun.RunAsync("connect", $"tls://{peer.Address}")).AssertFailed(ExitCode.Tls, "TLS with 127.0.0.1 failed");
    }

    [Fact]
    public async Task Hello_ThatAnswersNothing_TimesOut()
    {
        await using var peer = Peer.Silent();
        (await CliRun.RunWithAsync("one\ntwo\n", "connect", $"hello://{peer.Address}", "--timeout", "200ms")).AssertFailed(ExitCode.TimedOut, "--timeout");
    }

    [Fact]
    public async Task Hello_ThatClosesBeforeItsAnswer_IsACut()
    {
        await using var peer = Peer.Saying("");
        (await CliRun.RunWithAsync("one\ntwo\n", "connect", $"hello://{peer.Address}")).AssertFailed(ExitCode.Cut, "before it had answered");
    }

    [Theory]
    [InlineData("connect")]
    [InlineData("send")]
    public async Task Reset_Midway_IsACut(string verb)
    {
        await using var peer = new Peer(async (stream, token) =>
        {
            await stream.ReadExactlyAsync(new byte[2], token);
            Peer.Reset(stream);
        });
        var run = await CliRun.RunWithAsync("hi", verb, peer.Address);
        run.AssertFailed(ExitCode.Cut, "reset");
    }

    [Fact]
    public async Task Close_BeforeTheAnswersAreThere_IsACut()
    {
        await using var peer = Peer.Saying("OK 1\n");
        (await CliRun.RunAsync("send", peer.Address, "one", "two", "--framing", "line", "--replies", "2")).AssertFailed(ExitCode.Cut, "1 of 2 answers");
    }

    [Fact]
    public async Task EndlessLine_IsRefusedWithBoundedMemory()
    {
        long sent = 0;
        await using var peer = new Peer(async (stream, token) =>
        {
            var letters = new byte[64 * 1024];
            letters.AsSpan().Fill((byte)'x');
            for (; ; sent += letters.Length) await stream.WriteAsync(letters, token);
        });
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var run = await CliRun.RunAsync("connect", peer.Address, "--framing", "line");
        run.AssertFailed(ExitCode.Refused, "at most 4194304 bytes");
        Assert.InRange(Interlocked.Read(ref sent), 4 << 20, 32 << 20);
        Assert.InRange(GC.GetTotalMemory(forceFullCollection: true) - before, long.MinValue, 32 << 20);
    }

    [Theory]
    [InlineData("length", new byte[] { 0xFF, 0xFF, 0xFF, 0xFF, 1 }, "at most")]
    [InlineData("length", new byte[] { 0, 0, 0, 9, 1, 2 }, "inside a message")]
    [InlineData("syslog", new byte[] { (byte)'9', (byte)' ', (byte)'<' }, "inside a message")]
    public async Task WrongLength_BreaksTheProtocol(string framing, byte[] bytes, string told)
    {
        await using var peer = Peer.Saying(bytes);
        (await CliRun.RunAsync("connect", peer.Address, "--framing", framing)).AssertFailed(ExitCode.Refused, told);
    }

    [Fact]
    public async Task EscapeSequences_InAFault_AreEscaped()
    {
        var run = await CliRun.RunAsync("send", "\u001b[2J.invalid:1", "x");
        run.AssertFailed(ExitCode.UnknownHost, "\\x1B[2J");
        Assert.DoesNotContain('\u001b', run.Error);
    }

    [Fact]
    public async Task Flood_InAPipe_PassesThroughWithoutBeingHeld()
    {
        const int Length = 20_000_000;
        await using var peer = Peer.Saying(Encoding.ASCII.GetBytes(new string('x', Length)));
        var run = await CliRun.RunAsync("connect", peer.Address);
        Assert.Equal((0, Length), (run.ExitCode, run.OutputBytes.Length));
    }
}
