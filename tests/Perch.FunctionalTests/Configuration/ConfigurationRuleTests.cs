using System.Net;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Perch.Configuration;
using Perch.Diagnostics;
using Perch.FunctionalTests.Hosting;
using Perch.Server;

namespace Perch.FunctionalTests.Configuration;

/// <summary>The sections outside of <c>Perch</c> are checked by one code at start, by <c>--check</c> and at each reload.</summary>
public sealed class ConfigurationRuleTests
{
    private const string Levels = "Write one of: Verbose, Debug, Information, Warning, Error, Fatal";
    private const string Url = "Kestrel:Endpoints:Admin:Url";

    [Theory]
    [InlineData("Serilog:MinimumLevel:Default=Warn", "'Warn' is not a known level", Levels)]
    [InlineData("Serilog:MinimumLevel=Warn", "'Warn' is not a known level", Levels)]
    [InlineData("Serilog:MinimumLevel:Default=3", "'3' is not a known level", Levels)]
    [InlineData("Serilog:MinimumLevel:Override:Perch=Trace", "'Trace' is not a known level", Levels)]
    [InlineData("Serilog:MinimumLevel:Overide:Perch=Debug", "is not a known key", "Known here: Default, Override",
        "Serilog:MinimumLevel:Overide")]
    [InlineData("Serilog:LevelSwitches:$s=Warn", "'Warn' is not a known level", Levels)]
    [InlineData("Serilog:WritTo:0:Name=File", "is not a known key", "Known here: AuditTo,", "Serilog:WritTo")]
    [InlineData("Serilog:WriteTo:0=Fil", "'Fil' is not known", "Write one of: Async, Console, File,")]
    [InlineData("Serilog:WriteTo:0:Name=Fil", "'Fil' is not known", "Write one of: Async, Console, File,")]
    [InlineData("Serilog:WriteTo:0:Args:path=x", "is missing", "Write one of: Async, Console, File,", "Serilog:WriteTo:0:Name")]
    [InlineData("Serilog:WriteTo:0:Name=File", "is missing", "'File' needs it", "Serilog:WriteTo:0:Args:path")]
    [InlineData("Serilog:Enrich:0=WithMachine", "'WithMachine' is not known", "Write one of: AtLevel, FromLogContext")]
    [InlineData("Serilog:Using:0=Nowhere.Sinks", "there is no assembly 'Nowhere.Sinks'", "Correct the name")]
    [InlineData("Logging:Format=xml", "'xml' is not a known format", "Write Text or Json")]
    [InlineData("Admin:ApKey=x", "is not a known key", "Known here: ApiKey")]
    [InlineData("Admin:ApiKey= x", "begins or ends with white space", "Remove it")]
    [InlineData("Kestrel:Limit:X=1", "is not a known key", "Known here: Certificates, EndpointDefaults, Endpoints, Limits",
        "Kestrel:Limit")]
    [InlineData("Kestrel:Limits:MaxConnections=1", "is not a known key", "Known here: ")]
    [InlineData("Kestrel:Limits:MaxConcurrentConnections=-1", "-1 is out of range", "Value must be null or a positive number")]
    [InlineData("Kestrel:Limits:KeepAliveTimeout=60", "'60' is not a time span", "Write hh:mm:ss")]
    [InlineData("Kestrel:Limits:Http2:MaxStreamsPerConnection=0", "0 is out of range", "A value greater than zero is required")]
    [InlineData("Kestrel:Limits:MinRequestBodyDataRate:BytesPerSecond=x", "'x' is not a number", "Write a number")]
    [InlineData("Kestrel:Limits:MinRequestBodyDataRate:GracePeriod=00:00:01", "must be greater than 1 second", "Write BytesPerSecond",
        "Kestrel:Limits:MinRequestBodyDataRate")]
    [InlineData(Url + "=localhost:31080", "'localhost:31080' is not a URL", "Write for example http://127.0.0.1:8080")]
    [InlineData(Url + "=ftp://127.0.0.1:1", "has a scheme that is neither http nor https", "Write for example http://")]
    [InlineData(Url + "=http://127.0.0.1:31080/admin", "has a path", "Remove the path")]
    [InlineData(Url + "=http://127.0.0.1:99999", "has no valid port", "Write a port between 0 and 65535")]
    [InlineData(Url + "=http://127.0.0.1:http", "has no valid port", "Write a port between 0 and 65535")]
    [InlineData(Url + "=http://localhost:0", "has port 0, which needs an address", "Write 127.0.0.1")]
    [InlineData(Url + "=http://unix:/no/such/folder/a.sock", "the folder of '/no/such/folder/a.sock' does not exist", "Create the folder")]
    [InlineData(Url + "=https://127.0.0.1:0", "No server certificate was specified", "Correct the keys of this endpoint",
        "Kestrel:Endpoints:Admin")]
    [InlineData("Kestrel:Endpoints:Admin:Protocols=Http9", "'Http9' is not one of the known words", "Write one of: None, Http1, Http2")]
    [InlineData("Kestrel:Endpoints:Admin:SslProtocols:0=Tls99", "has 'Tls99', which is none of ", "Correct the value",
        "Kestrel:Endpoints:Admin:SslProtocols")]
    [InlineData("Kestrel:Endpoints:Admin:Sni:a.example:Certificate:File=x", "is not a known key", "Known here: AllowInvalid, KeyPath")]
    [InlineData("Kestrel:EndpointDefaults:Protocol=Http1", "is not a known key",
        "Known here: Certificate, ClientCertificateMode, Protocols")]
    [InlineData("Kestrel:Certificates:Default:File=x", "is not a known key", "Known here: AllowInvalid, KeyPath")]
    [InlineData("Kestrel:Endpoints:Second:Protocols=Http1", "is missing", "Write for example http://127.0.0.1:8080",
        "Kestrel:Endpoints:Second:Url")]
    [InlineData("Perch:Records:Store=Mysql", "'Mysql' is not one of the known words", "Write one of: Sqlite, Postgres")]
    [InlineData("Perch:Files:Store=Azure", "'Azure' is not one of the known words", "Write one of: Disk, S3")]
    [InlineData("Perch:Records:Writer=4", "is not a known key", "Known here: CommitBytes, CommitDelay, CommitRecords, ConnectionString,")]
    [InlineData("Perch:Records:Writers=0", "0 is out of range", "Write a value between 1 and 64")]
    [InlineData("Perch:Records:Store=Postgres", "names no Host, which the store Postgres needs", "Correct the value", "Perch:Records:ConnectionString")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=collector:4317", "'collector:4317' is not a URL", "Write a URL such as http://collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT=not a url", "'not a url' is not a URL", "Write a URL such as http://collector:4317")]
    [InlineData("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http", "'http' is not a known protocol", "Write grpc or http/protobuf")]
    [InlineData("OTEL_EXPORTER_OTLP_TIMEOUT=5s", "'5s' is not a number above 0", "Write digits only")]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS=secret", "the value is not a list of headers", "Write key=value pairs")]
    [InlineData("OTEL_LOGS_EXPORTER=console", "'console' is not a known exporter", "Write otlp or none")]
    [InlineData("OTEL_TRACES_SAMPLER=half", "'half' is not a known sampler", "Write always_on or always_off")]
    [InlineData("OTEL_BSP_SCHEDULE_DELAY=5s", "'5s' is not a number above 0", "Write digits only")]
    public async Task Check_OneFaultyKey_IsTheOneFault(string setting, string problem, string cure, string? key = null)
    {
        var fault = Assert.Single(await FaultsAsync(setting));

        Assert.Equal(key ?? setting[..setting.IndexOf('=', StringComparison.Ordinal)], fault.Key);
        Assert.Contains(problem, fault.Problem, StringComparison.Ordinal);
        Assert.StartsWith(cure, fault.Cure, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_ArgumentsOfSinks_AreAllChecked()
    {
        var faults = await FaultsAsync(
            "Serilog:WriteTo:0:Name=File", "Serilog:WriteTo:0:Args:path=/proc/perch-.log", "Serilog:WriteTo:0:Args:rollingInterval=Daily",
            "Serilog:WriteTo:0:Args:shard=true", "Serilog:WriteTo:0:Args:fileSizeLimitBytes=1 MB",
            "Serilog:WriteTo:0:Args:restrictedToMinimumLevel=Warn",
            "Serilog:WriteTo:1:Name=Async", "Serilog:WriteTo:1:Args:configure:0:Name=Nothing");

        Assert.Equal(
        [
            "Serilog:WriteTo:0:Args:fileSizeLimitBytes", "Serilog:WriteTo:0:Args:path", "Serilog:WriteTo:0:Args:restrictedToMinimumLevel",
            "Serilog:WriteTo:0:Args:rollingInterval", "Serilog:WriteTo:0:Args:shard", "Serilog:WriteTo:1:Args:configure:0:Name",
        ], faults.Select(fault => fault.Key).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("http://127.0.0.1:31999", true)]
    [InlineData("http://localhost:31999", true)]
    [InlineData("http://*:31999", true)]
    [InlineData("http://host.example:31999", true)]
    [InlineData("http://[::]:31999", true)]
    [InlineData("http://0.0.0.0:31999", true)]
    [InlineData("http://127.0.0.2:31999", false)]
    [InlineData("http://[::1]:31999", false)]
    [InlineData("http://127.0.0.1:31998", false)]
    public async Task Check_AdminPortAndAnEndpoints_OverlapIfBothCannotBeBound(string url, bool overlaps)
    {
        var settings = new ServerSettings { AdminUrl = url }
            .With("echo", """{ "Port": 31999, "Protocol": "echo" }""")
            .With("echo-udp", """{ "Port": 31998, "Transport": "Udp", "Protocol": "echo" }""");

        var faults = await FaultsAsync(settings);

        var fault = new ConfigFault(Url, $"'{url}' is the address of endpoint 'echo' too", "Give each a port or an address of its own");
        Assert.Equal(overlaps ? [fault] : [], faults);
    }

    [Fact]
    public async Task Check_AdminSocketOfAnEndpointAndOfAnotherAdminEndpoint_AreFaults()
    {
        using var folder = new ServerFolder();
        var path = Path.Combine(folder.Root, "a.sock");
        var settings = new ServerSettings { AdminUrl = $"http://unix:{path}" }
            .With("echo", $$"""{ "UnixSocket": "{{path}}", "Protocol": "echo" }""");

        var faults = await FaultsAsync(settings, "Kestrel:Endpoints:B:Url=http://127.0.0.1:31997",
            "Kestrel:Endpoints:C:Url=http://*:31997");

        Assert.Equal([Url, "Kestrel:Endpoints:C:Url"], faults.Select(fault => fault.Key));
        Assert.Contains("'Kestrel:Endpoints:B'", faults[1].Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Serilog:MinimumLevel=warning")]
    [InlineData("Serilog:WriteTo:0=Console")]
    [InlineData("Serilog:WriteTo:0:Name=Async", "Serilog:WriteTo:0:Args:configure:0:Name=Console", "Serilog:WriteTo:0:Args:bufferSize=500")]
    [InlineData("Serilog:Enrich:0=FromLogContext", "Serilog:Properties:Site=a")]
    [InlineData("Serilog:Using:0=Serilog.Sinks.Debug", "Serilog:WriteTo:0=Debug")]
    [InlineData("Perch:Records:Store=sqlite", "Perch:Records:ConnectionString=Host=db", "Perch:Files:Bucket=of-another-store")]
    [InlineData("Kestrel:Endpoints:Admin:Protocols=Http1AndHttp2", "Kestrel:Limits:MinRequestBodyDataRate:BytesPerSecond=0")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_HEADERS=a=b,c=d",
        "OTEL_TRACES_SAMPLER=always_off")]
    public async Task Check_ValidKeys_HaveNoFault(params string[] settings) => Assert.Empty(await FaultsAsync(settings));

    [Theory]
    [InlineData("Perch.Protocols.Record", "Perch.Records")]
    [InlineData("Perch.Protocols.Record.RecordWriter", "Perch.Records.RecordWriter")]
    [InlineData("Perch.Protocols.Record.Postgres", "Perch.Records.Postgres")]
    [InlineData("perch.protocols.files", "Perch.Files")]
    [InlineData("Perch.Protocols", null)]
    [InlineData("Perch.Protocols.Recording", null)]
    [InlineData("Perch.Records", null)]
    public async Task Check_LevelOfACategory_IsAWarningIfTheCategoryHasMoved(string category, string? now)
    {
        using var folder = new ServerFolder(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        var builder = ServerApplication.CreateBuilder(ServerCommand.Parse(["--contentRoot", folder.Root]));
        var key = $"Serilog:MinimumLevel:Override:{category}";
        builder.Configuration.AddInMemoryCollection([KeyValuePair.Create(key, (string?)"Debug")]);
        await using var app = builder.BuildServer(formatter => new WriterSink(TextWriter.Null, formatter));

        var plan = await app.Services.GetRequiredService<PerchStatus>().CheckAsync();

        var warning = $"{key} has no effect: the log category is {now} now. Write Serilog:MinimumLevel:Override:{now}";
        Assert.Equal(now is null ? [] : [warning], plan.Warnings.Where(text => text.StartsWith("Serilog", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("--check")]
    [InlineData(null)]
    public async Task Start_FaultsOfEverySection_AreAllOnStandardErrorWithExitCode2(string? verb)
    {
        using var folder = new ServerFolder(
            new ServerSettings { Log = "Warn", LogFormat = "xml", AdminUrl = "http://127.0.0.1:1/x", Drain = "soon" });
        string[] arguments = ["--Admin:Key=x", "--Kestrel:Limits:MaxRequestLineSize=0"];

        await using var server = ServerProcess.Launch(folder.Root, verb is null ? arguments : [verb, .. arguments],
            environment: new Dictionary<string, string> { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "x" });
        var ended = await server.WaitForExitAsync();

        Assert.Equal(2, ended.ExitCode);
        string[] keys =
        [
            "Perch:Shutdown:Drain", "Serilog:MinimumLevel:Default", "Logging:Format", Url, "Admin:Key", "Kestrel:Limits:MaxRequestLineSize",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ];
        foreach (var key in keys)
            Assert.Contains($"  {key}: ", ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", ended.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("..", ended.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Serilog:MinimumLevel:Default", "Warn")]
    [InlineData("Serilog:WriteTo:Name", "Fil")]
    [InlineData("Admin:Key", "x")]
    [InlineData(Url, "localhost:8080")]
    [InlineData("Kestrel:Limits:MaxRequestLineSize", "0")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "collector")]
    public async Task Reload_FaultyKey_ChangesNothingAndIsRedUntilCorrected(string key, string value)
    {
        var settings = new ServerSettings { ApiKey = "old" }.With("echo", """{ "Port": 0, "Protocol": "echo" }""");
        await using var host = await PerchHost.StartAsync(settings);
        settings.ApiKey = "new";
        var good = settings.With("late", """{ "Port": 0, "Protocol": "echo" }""").ToString();

        host.Folder.Write(WithKey(good, key, value));
        await Poll.UntilAsync(async () => (await host.Admin.GetReadyAsync()).Status == HttpStatusCode.ServiceUnavailable,
            () => "the fault is shown");
        var fault = Assert.Single((await host.Admin.GetReadyAsync()).Body["configurationFaults"]!.AsArray())!;
        Assert.StartsWith(key, fault["key"]!.GetValue<string>(), StringComparison.Ordinal);
        await Poll.UntilAsync(() => host.Log.Contains($"the running one stays: {key}", StringComparison.Ordinal), () => host.Log);
        Assert.Single(await host.Admin.GetEndpointsAsync());
        Assert.Equal("old", host.Services.GetRequiredService<AppliedConfiguration>()["Admin:ApiKey"]);

        host.Folder.Write(good);
        await Poll.UntilAsync(async () => (await host.Admin.GetReadyAsync()).Status == HttpStatusCode.OK, () => "the file is applied");
        await Poll.UntilAsync(() => host.Services.GetRequiredService<AppliedConfiguration>()["Admin:ApiKey"] == "new",
            () => "the key is applied");
    }

    [Fact]
    public async Task Reload_FaultyFileIsDeleted_ShowsThatItIsMissingOnly()
    {
        var settings = new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }""");
        await using var host = await PerchHost.StartAsync(settings);
        host.Folder.Write(WithKey(settings.ToString(), "Admin:Key", "x"));
        await Poll.UntilAsync(async () => (await FaultKeysAsync(host)).Contains("Admin:Key"), () => "the fault is shown");

        File.Delete(host.Folder.File);
        await Poll.UntilAsync(async () => (await FaultKeysAsync(host)).Contains("appsettings.json"), () => "the removal is shown");
        Assert.Equal(["appsettings.json"], await FaultKeysAsync(host));
    }

    private static async Task<List<string>> FaultKeysAsync(PerchHost host) =>
        [.. (await host.Admin.GetReadyAsync()).Body["configurationFaults"]!.AsArray().Select(fault => fault!["key"]!.GetValue<string>())];

    private static string WithKey(string json, string key, string value)
    {
        var root = JsonNode.Parse(json)!;
        var names = key.Split(':');
        var section = names[..^1].Aggregate(root, (node, name) => node[name] ??= new JsonObject());
        section[names[^1]] = value;
        return root.ToJsonString();
    }

    private static Task<IReadOnlyList<ConfigFault>> FaultsAsync(params string[] settings) =>
        FaultsAsync(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""), settings);

    private static async Task<IReadOnlyList<ConfigFault>> FaultsAsync(ServerSettings settings, params string[] keys)
    {
        using var folder = new ServerFolder(settings);
        var builder = ServerApplication.CreateBuilder(ServerCommand.Parse(["--contentRoot", folder.Root]));
        var pairs = keys.Select(key => key.Split('=', 2)).Select(pair => KeyValuePair.Create(pair[0], (string?)pair[1]));
        builder.Configuration.AddInMemoryCollection(pairs);
        await using var app = builder.BuildServer(formatter => new WriterSink(TextWriter.Null, formatter));
        try
        {
            await app.Services.GetRequiredService<PerchStatus>().CheckAsync();
            return [];
        }
        catch (PerchConfigurationException exception)
        {
            return exception.Faults;
        }
    }
}
