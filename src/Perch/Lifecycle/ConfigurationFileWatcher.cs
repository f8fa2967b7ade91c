using System.Security.Cryptography;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Perch.Configuration;

namespace Perch.Lifecycle;

/// <summary>
/// Reads the configuration again when the bytes of one of its files have changed. It compares contents twice a second
/// instead of waiting for file events, since those miss what Kubernetes does (a link to a link is renamed) and what
/// network folders do; a file that is being written is read once it has stood still for one look.
/// </summary>
internal sealed partial class ConfigurationFileWatcher(
    IConfigurationRoot configuration, IReadOnlyList<string> paths, ConfigurationStatus status, TimeProvider time,
    ILogger<ConfigurationFileWatcher> logger) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(400);

    private readonly Lock _lock = new();
    private string _applied = Fingerprint(paths);
    private string? _last;

    /// <summary>Looks once, and reads the files again if they have changed and stand still.</summary>
    internal void Look()
    {
        lock (_lock)
        {
            var now = Fingerprint(paths);
            var settled = now == _last;
            _last = now;
            if (!settled || now == _applied) return;
            _applied = now;
            Log.Changed(logger);
            Reload();
        }
    }

    /// <summary>Reads the files again now, whether or not they have changed. For any thread.</summary>
    internal void ReadNow()
    {
        lock (_lock)
        {
            _applied = _last = Fingerprint(paths);
            Log.Requested(logger);
            Reload();
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, time);
        while (await NextTickAsync(timer, stoppingToken)) Look();
    }

    /// <returns>False at the stop: to the host a cancellation is a failure where the start had failed.</returns>
    private static async ValueTask<bool> NextTickAsync(PeriodicTimer timer, CancellationToken stoppingToken)
    {
        try
        {
            return await timer.WaitForNextTickAsync(stoppingToken);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private void Reload()
    {
        try
        {
            configuration.Reload();
            status.SetUnreadable();
        }
        catch (Exception exception) when (exception is InvalidDataException or FormatException or IOException or UnauthorizedAccessException)
        {
            var fault = new ConfigFault("appsettings.json", exception.GetBaseException().Message, "Correct the file; the running configuration stays until then");
            status.SetUnreadable(fault);
            Log.Unreadable(logger, fault.Problem);
        }
    }

    /// <remarks>A file that is missing is one of its contents: between a removal and a rename it does not stand still.</remarks>
    private static string Fingerprint(IReadOnlyList<string> paths)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var path in paths)
        {
            try
            {
                hash.AppendData(File.ReadAllBytes(path));
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                hash.AppendData([0]);
            }
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    private static partial class Log
    {
        [LoggerMessage(1020, LogLevel.Information, "The configuration's files changed", EventName = "ConfigurationChanged")]
        public static partial void Changed(ILogger logger);

        [LoggerMessage(1022, LogLevel.Information, "The configuration's files are read again, as requested", EventName = "ConfigurationReloadRequested")]
        public static partial void Requested(ILogger logger);

        [LoggerMessage(1021, LogLevel.Error, "The configuration's files cannot be read, the running configuration stays: {Problem}", EventName = "ConfigurationUnreadable")]
        public static partial void Unreadable(ILogger logger, string problem);
    }
}
