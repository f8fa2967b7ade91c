using Microsoft.AspNetCore.Server.Kestrel.Core;
using Perch.Configuration;

namespace Perch.Server.Configuration;

/// <summary>Reads <c>Kestrel:Limits</c>, which Kestrel's own loader of the section <c>Kestrel</c> does not read.</summary>
internal static class KestrelLimits
{
    public const string Key = "Kestrel:Limits";

    /// <param name="configuration">The configuration that has the section.</param>
    /// <param name="limits">The limits to change; a key that is not written keeps its value.</param>
    /// <param name="faults">Takes every fault; the key that has it is not applied.</param>
    public static void Read(IConfiguration configuration, KestrelServerLimits limits, List<ConfigFault> faults)
    {
        var section = configuration.GetSection(Key);
        var binder = new StrictBinder(faults);
        binder.Read(section, limits,
            nameof(limits.Http2), nameof(limits.Http3), nameof(limits.MinRequestBodyDataRate), nameof(limits.MinResponseDataRate));
        binder.Read(section.GetSection(nameof(limits.Http2)), limits.Http2);
        binder.Read(section.GetSection(nameof(limits.Http3)), limits.Http3);
        var request = section.GetSection(nameof(limits.MinRequestBodyDataRate));
        var response = section.GetSection(nameof(limits.MinResponseDataRate));
        limits.MinRequestBodyDataRate = ReadRate(request, limits.MinRequestBodyDataRate, faults);
        limits.MinResponseDataRate = ReadRate(response, limits.MinResponseDataRate, faults);
    }

    /// <summary>The value of <c>Kestrel:Limits:MaxConcurrentConnections</c>; null if it is not written.</summary>
    public static int? MostConnections(IConfiguration configuration)
    {
        var limits = new KestrelServerLimits();
        Read(configuration, limits, []);
        return limits.MaxConcurrentConnections is { } most ? (int)Math.Min(most, int.MaxValue) : null;
    }

    /// <summary>A rate of 0 bytes per second turns the limit off.</summary>
    private static MinDataRate? ReadRate(IConfigurationSection section, MinDataRate? rate, List<ConfigFault> faults)
    {
        if (!section.Exists())
            return rate;
        var settings = new RateSettings();
        if (rate is not null)
            (settings.BytesPerSecond, settings.GracePeriod) = (rate.BytesPerSecond, rate.GracePeriod);
        var count = faults.Count;
        new StrictBinder(faults).Read(section, settings);
        if (faults.Count > count)
            return rate;
        if (settings.BytesPerSecond == 0)
            return null;
        try
        {
            return new(settings.BytesPerSecond, settings.GracePeriod);
        }
        catch (ArgumentOutOfRangeException exception)
        {
            faults.Add(new(section.Path, exception.Message, "Write BytesPerSecond of at least 0 and GracePeriod of more than 00:00:01"));
            return rate;
        }
    }

    private sealed class RateSettings
    {
        public double BytesPerSecond { get; set; } = 240;

        public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(5);
    }
}
