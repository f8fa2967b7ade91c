using Perch.Diagnostics;

namespace Perch.Tests.Diagnostics;

public sealed class FileDescriptorsTests
{
    [Fact]
    public void Open_MoreFiles_AreCounted()
    {
        if (OperatingSystem.IsLinux()) AssertCountsFiles(() => FileDescriptors.Open()!.Value);
    }

    // What kernels before 6.2 use.
    [Fact]
    public void OpenByEntries_MoreFiles_AreCounted()
    {
        if (OperatingSystem.IsLinux()) AssertCountsFiles(FileDescriptors.OpenByEntries);
    }

    private static void AssertCountsFiles(Func<long> count)
    {
        // Other tests open and close a few meanwhile.
        const int Many = 200;
        var before = count();
        var files = Enumerable.Range(0, Many).Select(_ => File.OpenHandle("/dev/null")).ToList();
        var during = count();
        files.ForEach(file => file.Dispose());

        Assert.InRange(during - before, Many / 2, Many * 2);
    }
}
