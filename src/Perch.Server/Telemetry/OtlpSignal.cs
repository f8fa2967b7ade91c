using OpenTelemetry.Exporter;

namespace Perch.Server.Telemetry;

/// <summary>
/// The OTLP export of one signal: <c>METRICS</c>, <c>TRACES</c> or <c>LOGS</c>. A key <c>OTEL_EXPORTER_OTLP_{signal}_X</c> overrides
/// <c>OTEL_EXPORTER_OTLP_X</c> (OpenTelemetry specification, "OpenTelemetry Protocol Exporter"). The SDK reads the general keys
/// itself, but reads the keys of a signal only if it exports all signals. <see cref="Configuration.OtlpRule"/> checks the values.
/// </summary>
internal sealed class OtlpSignal
{
    private const string General = "OTEL_EXPORTER_OTLP_";

    private readonly IConfiguration _configuration;
    private readonly string _prefix;

    public OtlpSignal(IConfiguration configuration, string signal)
    {
        (_configuration, _prefix) = (configuration, $"{General}{signal}_");
        Name = signal.ToLowerInvariant();
        IsExported = (Value(General + "ENDPOINT") ?? Value(_prefix + "ENDPOINT")) is not null && Value($"OTEL_{signal}_EXPORTER") != "none";
    }

    /// <summary>Name of the exporter's options, and label of the signal's metrics: <c>metrics</c>, <c>traces</c> or <c>logs</c>.</summary>
    public string Name { get; }

    /// <summary>True if an endpoint is configured and <c>OTEL_{signal}_EXPORTER</c> is not <c>none</c>.</summary>
    public bool IsExported { get; }

    /// <summary>Applies the keys of the signal over the general keys.</summary>
    public void Configure(OtlpExporterOptions options)
    {
        if (Value(_prefix + "PROTOCOL") is { } protocol)
            options.Protocol = protocol == "grpc" ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf;
        if (Uri.TryCreate(Value(_prefix + "ENDPOINT"), UriKind.Absolute, out var endpoint))
            options.Endpoint = endpoint;
        if (Value(_prefix + "HEADERS") is { } headers)
            options.Headers = headers;
        if (int.TryParse(Value(_prefix + "TIMEOUT"), out var milliseconds))
            options.TimeoutMilliseconds = milliseconds;
        if (Value(_prefix + "COMPRESSION") is { } compression)
            options.Compression = compression == "gzip" ? OtlpExportCompression.GZip : OtlpExportCompression.None;
    }

    private string? Value(string key) => _configuration[key] is { } value && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;
}
