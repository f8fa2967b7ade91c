using Perch.Diagnostics;

namespace Perch.Tests.Diagnostics;

public sealed class FileDescriptorsTests
{
    [Fact]
    public void Open_MoreFiles_AreCounted()
    {
        if (!OperatingSystem.IsLinux()) return;
        // Other tests open and close a few meanwhile.
        const int Many = 200;
        var before = FileDescriptors.Open();
        var files = Enumerable.Range(0, Many).Select(_ => File.OpenHandle("/dev/null")).ToList();
        var during = FileDescriptors.Open();
        foreach (var file in files) file.Dispose();

        Assert.InRange(during!.Value - before!.Value, Many / 2, Many * 2);
    }

    [Fact]
    public void ConnectionCapacity_LeavesRoomUnderTheLimit()
    {
        Assert.Equal(OperatingSystem.IsLinux(), FileDescriptors.Limit() is not null);
        var capacity = FileDescriptors.ConnectionCapacity();

        Assert.Equal(Math.Max(64, (FileDescriptors.Limit() ?? 10_000) - 256), capacity);
    }
}
