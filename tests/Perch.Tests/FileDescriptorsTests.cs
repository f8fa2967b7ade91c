using Perch.Diagnostics;

namespace Perch.Tests;

public sealed class FileDescriptorsTests
{
    [Fact]
    public void Open_FilesOpened_AreCounted()
    {
        if (OperatingSystem.IsLinux()) AssertCountsFiles(() => FileDescriptors.Open()!.Value);
    }

    // What kernels before 6.2 use.
    [Fact]
    public void OpenByEntries_FilesOpened_AreCounted()
    {
        if (OperatingSystem.IsLinux()) AssertCountsFiles(FileDescriptors.OpenByEntries);
    }

    private static void AssertCountsFiles(Func<long> count)
    {
        var before = count();
        var files = Enumerable.Range(0, 500).Select(_ => File.OpenHandle("/dev/null")).ToList();
        var during = count();
        files.ForEach(file => file.Dispose());

        // Other tests open and close some at the same time.
        Assert.InRange(during - before, 300, 700);
    }
}
