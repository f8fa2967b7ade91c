using System.Globalization;
using Perch.Configuration;
using Perch.Endpoints;

namespace Perch.Server.Configuration;

/// <summary>
/// Checks the keys of OpenTelemetry's SDK (OpenTelemetry specification, "Environment Variable Specification"). The SDK replaces a value
/// that it cannot read with its default, without a message.
/// </summary>
internal sealed class OtlpRule : IConfigurationRule
{
    private static readonly string[] Signals = ["", "METRICS_", "TRACES_", "LOGS_"];

    private static readonly string[] Samplers =
        ["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"];

    private static readonly string[] Milliseconds =
    [
        "OTEL_METRIC_EXPORT_INTERVAL", "OTEL_METRIC_EXPORT_TIMEOUT",
        "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
        "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_BLRP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
    ];

    public void Check(IConfiguration configuration, IReadOnlyCollection<EndpointConfig> endpoints, List<ConfigFault> faults)
    {
        foreach (var prefix in Signals.Select(signal => $"OTEL_EXPORTER_OTLP_{signal}"))
        {
            CheckWith(prefix + "ENDPOINT", IsUrl, "is not a URL", "Write a URL such as http://collector:4317, or leave it empty");
            CheckOneOf(prefix + "PROTOCOL", "is not a known protocol", ["grpc", "http/protobuf"]);
            CheckOneOf(prefix + "COMPRESSION", "is not a known compression", ["none", "gzip"]);
            CheckNumber(prefix + "TIMEOUT");
            CheckWith(prefix + "HEADERS", AreHeaders, "is not a list of headers", "Write key=value pairs with commas between them");
        }

        foreach (var signal in Signals.Skip(1))
            CheckOneOf($"OTEL_{signal}EXPORTER", "is not a known exporter", ["otlp", "none"]);
        CheckOneOf("OTEL_TRACES_SAMPLER", "is not a known sampler", Samplers);
        foreach (var key in Milliseconds)
            CheckNumber(key);

        void CheckOneOf(string key, string problem, string[] known) =>
            CheckWith(key, known.Contains, problem, $"Write {string.Join(" or ", known)}, or leave it empty");

        void CheckNumber(string key) => CheckWith(key,
            value => int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0,
            "is not a number above 0", "Write digits only (times are milliseconds), or leave it empty");

        // A value may be a secret, such as a header.
        void CheckWith(string key, Func<string, bool> isValid, string problem, string cure)
        {
            if (configuration[key]?.Trim() is { Length: > 0 } value && !isValid(value))
                faults.Add(new(key, $"{(key.EndsWith("HEADERS", StringComparison.Ordinal) ? "the value" : $"'{value}'")} {problem}", cure));
        }
    }

    private static bool IsUrl(string value) => Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is ("http" or "https");

    private static bool AreHeaders(string value) =>
        Array.TrueForAll(value.Split(','), pair => pair.IndexOf('=', StringComparison.Ordinal) > 0);
}
