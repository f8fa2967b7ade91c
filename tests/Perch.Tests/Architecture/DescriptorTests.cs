using System.Text.RegularExpressions;

namespace Perch.Tests.Architecture;

/// <summary>
/// No descriptor's number outlives its owner: after a close the number belongs to the next file or socket at once. So each native call
/// gets a handle, which the marshaller keeps open, or a number that a lease has given for that call.
/// </summary>
public sealed partial class DescriptorTests
{
    private static readonly string[] Projects = ["Perch", "Perch.Transport", "Perch.Linux", "Perch.Protocols", "Perch.Records", "Perch.Records.Postgres", "Perch.Files", "Perch.Files.S3", "Perch.Tftp"];

    /// <summary>Files whose numbers come from a lease, or that own their descriptors, and close them themselves under a lock.</summary>
    private static readonly string[] NumberFiles =
    [
        // DescriptorUse.TryBegin.
        "DirectConnection.cs", "DirectReader.cs", "DirectWriter.cs", "WriteBacklog.cs", "FileSending.cs",

        // Accepted a moment ago, and nobody else's; and the reserve, which is exchanged before it is closed.
        "DirectListener.cs",

        // The loop's own, closed under its lock at its end.
        "Loop.cs", "Epoll.cs",

        // The calls themselves, with the number of their caller.
        "Libc.cs", "SocketName.cs",
    ];

    /// <summary>Calls of Libc that take the number of a descriptor.</summary>
    private static readonly string[] NumberCalls =
    [
        "Receive", "Send", "SendMessage", "SendFile", "Shutdown", "Close", "GetOption", "SetOption", "GetName", "EpollControl", "EpollWait", "Write", "SetReset", "TakeError", "IsWritable",
    ];

    [Fact]
    public void NativeCalls_OutsideOfTheTransport_TakeHandles()
    {
        var calls = Sources("Perch", "Perch.Linux", "Perch.Records", "Perch.Files").Where(file => file.Name is not "Libc.cs").SelectMany(file => NativeMethod().Matches(file.Text).Select(m => (file.Name, Text: m.Value))).ToList();

        Assert.True(calls.Count > 10);
        Assert.DoesNotContain(calls, call => NumberParameter().IsMatch(call.Text));
    }

    [Fact]
    public void NativeCallsWithNumbers_OfTheTransport_AreThoseThatAreKnown()
    {
        var libc = Sources("Perch.Linux").Single(file => file.Name == "Libc.cs").Text;
        var declared = MethodOfNumber().Matches(libc).Select(m => m.Groups["name"].Value).ToList();

        Assert.True(declared.Count > 10);
        Assert.Empty(declared.Except(NumberCalls));
        foreach (var (name, text) in Sources(Projects).Where(file => !NumberFiles.Contains(file.Name)))
            Assert.False(NumberCalls.Any(call => text.Contains($"Libc.{call}(", StringComparison.Ordinal)), name);
    }

    /// <summary>A connection gives its descriptor number to a lease, and to the caller that closes the socket after the last lease; it has no other access.</summary>
    [Fact]
    public void NumberOfAConnection_OutsideOfALease_IsUsedForTheCloseAlone()
    {
        var uses = Sources("Perch.Transport").Where(file => file.Name != "DescriptorUse.cs").SelectMany(file => file.Text.Split('\n')).Where(line => line.Contains("DescriptorToClose", StringComparison.Ordinal));
        Assert.Equal("var descriptor = _use.DescriptorToClose;", Assert.Single(uses).Trim());
        Assert.DoesNotContain(Sources("Perch.Transport"), file => file.Text.Contains("connection.Descriptor", StringComparison.Ordinal));
    }

    [Fact]
    public void NumberOfAHandle_IsAskedForWhileItIsHeld()
    {
        foreach (var (name, text) in Sources(Projects))
        {
            Assert.False(SocketHandle().IsMatch(text), $"{name}: Socket.Handle is a number without an owner");
            if (text.Contains("DangerousGetHandle", StringComparison.Ordinal)) Assert.True(text.Contains("DangerousAddRef(ref", StringComparison.Ordinal), name);
        }
    }

    private static IEnumerable<(string Name, string Text)> Sources(params string[] projects) =>
        from file in Repository.Sources()
        where projects.Any(project => file.StartsWith(Repository.PathOf($"src/{project}/"), StringComparison.Ordinal))
        select (Path.GetFileName(file), File.ReadAllText(file));

    [GeneratedRegex("\\[LibraryImport\\([^\\]]*\\](\\s*\\[\\w+\\])*\\s*\\w+ static (unsafe )?partial [^;]*;", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex NativeMethod();

    [GeneratedRegex("\\b(int|nint|IntPtr) (socket|descriptor|file|folder|from|to|fd|handle)\\b", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex NumberParameter();

    [GeneratedRegex("static (partial )?\\w+ (?<name>\\w+)\\(int (socket|descriptor|epoll|file)\\b", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex MethodOfNumber();

    [GeneratedRegex("[sS]ocket\\.Handle\\b", RegexOptions.NonBacktracking)]
    private static partial Regex SocketHandle();
}
