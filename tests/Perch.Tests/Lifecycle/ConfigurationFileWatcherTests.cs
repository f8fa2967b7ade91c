using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Primitives;
using Microsoft.Extensions.Time.Testing;
using Perch.Configuration;
using Perch.Lifecycle;
using Perch.Tests.Fakes;
using Perch.Tests.Shared;

namespace Perch.Tests.Lifecycle;

public sealed class ConfigurationFileWatcherTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly FakeTimeProvider _time = new();
    private readonly ConfigurationStatus _status = new();
    private IConfigurationRoot? _configuration;

    private string File => _folder["appsettings.json"];

    public void Dispose()
    {
        (_configuration as IDisposable)?.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void Look_NothingChanged_ReadsNothing()
    {
        Write("1");
        using var watcher = Watch();
        var reloads = Reloads();
        for (var i = 0; i < 5; i++) watcher.Look();

        Assert.Equal(0, reloads());
    }

    [Fact]
    public void Look_FileEditedInPlace_IsReadOnceItStandsStill()
    {
        Write("1");
        using var watcher = Watch();
        watcher.Look();
        Write("2");
        watcher.Look();
        Assert.Equal("1", Value);
        Write("3");
        watcher.Look();
        Assert.Equal("1", Value);
        watcher.Look();

        Assert.Equal("3", Value);
    }

    [Fact]
    public void ReadNow_FileEdited_IsReadAtOnceAndOnce()
    {
        Write("1");
        using var watcher = Watch();
        var reloads = Reloads();
        Write("2");
        watcher.ReadNow();
        Assert.Equal("2", Value);
        var count = reloads();

        for (var i = 0; i < 3; i++) watcher.Look();
        Assert.Equal(count, reloads());
    }

    [Fact]
    public void ReadNow_HalfWrittenFile_IsAFault()
    {
        Write("1");
        using var watcher = Watch();
        System.IO.File.WriteAllText(File, "{");
        watcher.ReadNow();
        Assert.Equal("1", Value);
        Assert.Single(_status.Faults);
    }

    [Fact]
    public void Look_FileRenamedOver_IsRead()
    {
        Write("1");
        using var watcher = Watch();
        System.IO.File.WriteAllText(_folder["new"], """{ "Key": "2" }""");
        System.IO.File.Move(_folder["new"], File, overwrite: true);

        Assert.Equal("2", ValueAfterLooks(watcher));
    }

    [Fact]
    public void Look_LinkToALinkSwapped_IsRead()
    {
        // As Kubernetes mounts a ConfigMap: the file links through ..data, which links to a folder and is renamed over.
        foreach (var version in new[] { "1", "2" })
        {
            Directory.CreateDirectory(_folder[$"..{version}"]);
            System.IO.File.WriteAllText(_folder[$"..{version}/appsettings.json"], $$"""{ "Key": "{{version}}" }""");
        }

        Directory.CreateSymbolicLink(_folder["..data"], "..1");
        System.IO.File.CreateSymbolicLink(File, "..data/appsettings.json");
        using var watcher = Watch();
        Assert.Equal("1", Value);
        // Kubernetes renames over the link, .NET can do so for links to files only; no look falls between these two.
        System.IO.File.Delete(_folder["..data"]);
        Directory.CreateSymbolicLink(_folder["..data"], "..2");

        Assert.Equal("2", ValueAfterLooks(watcher));
    }

    [Fact]
    public void Look_FileMissing_ChangesNothingAndIsAFaultUntilItIsBack()
    {
        Write("1");
        using var watcher = Watch();
        System.IO.File.Delete(File);
        Assert.Equal("1", ValueAfterLooks(watcher));
        Assert.Equal("appsettings.json", Assert.Single(_status.Faults).Key);

        Write("2");
        Assert.Equal("2", ValueAfterLooks(watcher));
        Assert.Empty(_status.Faults);
    }

    [Fact]
    public void Look_FileMissingAtOneLook_ChangesNothing()
    {
        Write("1");
        using var watcher = Watch();
        var reloads = Reloads();
        System.IO.File.Delete(File);
        watcher.Look();
        Write("1");
        Assert.Equal("1", ValueAfterLooks(watcher));
        Assert.Equal((0, 0), (reloads(), _status.Faults.Count));
    }

    [Fact]
    public void Look_HalfWrittenFile_IsAFaultUntilItIsWhole()
    {
        Write("1");
        using var watcher = Watch();
        System.IO.File.WriteAllText(File, """{ "Key": """);
        Assert.Equal("1", ValueAfterLooks(watcher));
        Assert.Equal("appsettings.json", Assert.Single(_status.Faults).Key);

        Write("2");
        Assert.Equal("2", ValueAfterLooks(watcher));
        Assert.Empty(_status.Faults);
    }

    [Fact]
    public void Look_FaultTakenBack_IsMendedByTheOldText()
    {
        Write("1");
        using var watcher = Watch();
        System.IO.File.WriteAllText(File, "no JSON");
        ValueAfterLooks(watcher);
        Assert.Single(_status.Faults);
        Write("1");

        Assert.Equal("1", ValueAfterLooks(watcher));
        Assert.Empty(_status.Faults);
    }

    [Fact]
    public void Faults_FileUnreadableAfterItWasRejected_AreThoseOfTheFileAsItStands()
    {
        var (unreadable, rejected) = (new ConfigFault("a", "b", "c"), new ConfigFault("d", "e", "f"));
        _status.SetRejected(rejected);
        _status.SetUnreadable(unreadable);
        Assert.Equal([unreadable], _status.Faults);
        _status.SetUnreadable();

        Assert.Equal([rejected], _status.Faults);
    }

    [Fact]
    public async Task Execute_TimePasses_Looks()
    {
        Write("1");
        using var watcher = Watch();
        var changed = new TaskCompletionSource();
        using var subscription = ChangeToken.OnChange(_configuration!.GetReloadToken, () => changed.TrySetResult());
        Write("2");
        await watcher.StartAsync(CancellationToken.None);
        for (var i = 0; !changed.Task.IsCompleted && i < 1_000_000; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await changed.Task.Soon();
        await watcher.StopAsync(CancellationToken.None).Soon();
        Assert.Equal("2", Value);
    }

    private string? Value => _configuration!["Key"];

    private void Write(string value) => System.IO.File.WriteAllText(File, $$"""{ "Key": "{{value}}" }""");

    private string? ValueAfterLooks(ConfigurationFileWatcher watcher)
    {
        for (var i = 0; i < 3; i++) watcher.Look();
        return Value;
    }

    /// <returns>How often the configuration was read again since.</returns>
    private Func<int> Reloads()
    {
        var count = 0;
        ChangeToken.OnChange(_configuration!.GetReloadToken, () => count++);
        return () => count;
    }

    private ConfigurationFileWatcher Watch()
    {
        _configuration = new ConfigurationBuilder().AddJsonFile(File, optional: false, reloadOnChange: false).Build();
        return new(_configuration, [File], _status, _time, NullLogger<ConfigurationFileWatcher>.Instance);
    }
}
