using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Perch.FunctionalTests.Hosting;
using Perch.Server.Logging;
using Serilog.Events;
using Serilog.Parsing;

namespace Perch.FunctionalTests.Logging;

[SuppressMessage("Performance", "CA1873", Justification = "Every line here is written.")]
public sealed class LoggingTests
{
    private const string Hostile = "a\u001b[31m\u009b2J\r\n[12:34:56 INF] forged\u0007\u007f\u202e\u2028";

    [Fact]
    public void Text_Default_IsOneReadableLine()
    {
        var text = Log([], log => log.LogInformation("Hello {Name}, {Count} データ送信", "World", 3));

        Assert.Matches(@"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INF\] Hello World, 3 データ送信\n$", text);
    }

    [Fact]
    public void Text_Exception_FollowsOnIndentedLines()
    {
        var text = Log([], log => log.LogError(new InvalidOperationException("first\n" + Hostile), "Failed"));

        var lines = text.TrimEnd('\n').Split('\n');
        Assert.EndsWith(" ERR] Failed", lines[0]);
        Assert.Equal("  System.InvalidOperationException: first", lines[1]);
        Assert.All(lines[1..], line => Assert.StartsWith("  ", line));
        AssertNoControlCharacters(text);
    }

    [Fact]
    public void Text_ControlCharacters_AreEscaped()
    {
        var text = Log([], log => log.LogInformation("Peer says {Text}", Hostile));

        Assert.EndsWith(@" INF] Peer says a\u001b[31m\u009b2J\r\n[12:34:56 INF] forged\u0007\u007f\u202e\u2028" + "\n", text);
        AssertNoControlCharacters(text);
    }

    [Fact]
    public void Text_LinesOfAConnection_HaveItsIdOnce()
    {
        var text = Log([], log =>
        {
            using (log.BeginScope(new Dictionary<string, object>(StringComparer.Ordinal) { ["ConnectionId"] = "c1" }))
            {
                log.LogInformation("Stored");
                log.LogInformation("Connection {ConnectionId} ended", "c1");
            }
        });

        var lines = text.Split('\n');
        Assert.EndsWith(" INF] Stored, connection c1", lines[0]);
        Assert.EndsWith(" INF] Connection c1 ended", lines[1]);
    }

    [Fact]
    public void Json_Line_HasPropertiesScopesAndUtc()
    {
        var text = Log([new("Logging:Format", "json")], log =>
        {
            using (log.BeginScope(new Dictionary<string, object>(StringComparer.Ordinal) { ["Connection"] = "c1" }))
                log.LogWarning(new InvalidOperationException("bad"), "Peer says {Text} {Bytes}", Hostile, 5);
        });

        AssertNoControlCharacters(text);
        using var line = JsonDocument.Parse(text.TrimEnd('\n'));
        var root = line.RootElement;
        Assert.Equal(TimeSpan.Zero, root.GetProperty("Timestamp").GetDateTimeOffset().Offset);
        Assert.Equal("Warning", root.GetProperty("Level").GetString());
        Assert.Equal("Peer says {Text} {Bytes}", root.GetProperty("MessageTemplate").GetString());
        Assert.Contains("InvalidOperationException: bad", root.GetProperty("Exception").GetString());
        Assert.False(root.TryGetProperty("TraceId", out _));
        var properties = root.GetProperty("Properties");
        Assert.Equal(Hostile, properties.GetProperty("Text").GetString());
        Assert.Equal(5, properties.GetProperty("Bytes").GetInt32());
        Assert.Equal("c1", properties.GetProperty("Connection").GetString());
        Assert.Equal("Perch.Tests", properties.GetProperty("SourceContext").GetString());
    }

    [Theory]
    [InlineData("Perch", LogLevel.Information, true)]
    [InlineData("Perch", LogLevel.Debug, false)]
    [InlineData("Microsoft.AspNetCore", LogLevel.Information, false)]
    [InlineData("Microsoft.AspNetCore", LogLevel.Warning, true)]
    [InlineData("Microsoft.Hosting.Lifetime", LogLevel.Information, true)]
    public void Levels_NothingConfigured_QuietensTheFramework(string category, LogLevel level, bool expected) =>
        Assert.Equal(expected, Log([], log => log.Log(level, "x"), category).Length > 0);

    [Fact]
    public void Levels_FromTheSerilogSection_Apply()
    {
        KeyValuePair<string, string?>[] settings =
        [
            new("Serilog:MinimumLevel:Default", "Error"),
            new("Serilog:MinimumLevel:Override:Perch.Endpoints", "Debug"),
        ];

        Assert.Equal("", Log(settings, log => log.LogWarning("x"), "Perch.Other"));
        Assert.NotEqual("", Log(settings, log => log.LogDebug("x"), "Perch.Endpoints"));
    }

    [Fact]
    public void Sinks_FileInTheSerilogSection_GetsTheLinesBesideTheConsole()
    {
        var path = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            var text = Log(
                [new("Serilog:WriteTo:0:Name", "File"), new("Serilog:WriteTo:0:Args:path", path)],
                log => log.LogInformation("In both"));

            Assert.EndsWith("INF] In both\n", text);
            Assert.Contains("In both", File.ReadAllText(path));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Sinks_ConsoleInTheSerilogSection_ReplacesPerchsOwn()
    {
        KeyValuePair<string, string?>[] settings =
        [
            new("Serilog:WriteTo:0:Name", "Console"),
            new("Serilog:WriteTo:0:Args:restrictedToMinimumLevel", "Fatal"),
        ];

        Assert.Equal("", Log(settings, log => log.LogInformation("Nowhere")));
    }

    [Fact]
    public void StandardError_Line_IsNotOnStandardOutput()
    {
        var (output, errors) = (Console.Out, Console.Error);
        using var console = new StringWriter();
        using var error = new StringWriter();
        try
        {
            Console.SetOut(console);
            Console.SetError(error);
            var sink = LoggingSetup.StandardError(new TextLineFormatter());
            sink.Emit(new(DateTimeOffset.UnixEpoch, LogEventLevel.Verbose, null, new MessageTemplateParser().Parse("a line for errors"), []));
        }
        finally
        {
            Console.SetOut(output);
            Console.SetError(errors);
        }

        Assert.Contains("VRB] a line for errors", error.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("a line for errors", console.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Dispose_LinesInTheBuffer_AreWritten()
    {
        var text = Log([], log =>
        {
            for (var i = 0; i < 5000; i++)
                log.LogInformation("Line {Number}", i);
        });

        Assert.Equal(5000, text.Count(c => c == '\n'));
        Assert.EndsWith("Line 4999\n", text);
    }

    [Fact]
    public void Log_ConsoleThatDoesNotTakeLines_DropsAndCounts()
    {
        using var console = new StuckWriter();
        using var services = new ServiceCollection()
            .AddPerchLogging(new ConfigurationBuilder().Build(), formatter => new WriterSink(console, formatter))
            .BuildServiceProvider();
        var log = services.GetRequiredService<ILogger<LoggingTests>>();
        log.LogInformation("In the writer's hand");
        console.Entered.Wait();

        for (var i = 0; i < 10_003; i++)
            log.LogInformation("Line {Number}", i);

        var dropped = services.GetRequiredService<LogBuffer>().Dropped;
        console.Released.Set();

        Assert.Equal(3, dropped);
    }

    private static string Log(KeyValuePair<string, string?>[] settings, Action<ILogger> write, string category = "Perch.Tests")
    {
        using var console = new StringWriter();
        var configuration = new ConfigurationBuilder().AddInMemoryCollection(settings).Build();
        using (var services = new ServiceCollection().AddPerchLogging(configuration, formatter => new WriterSink(console, formatter)).BuildServiceProvider())
            write(services.GetRequiredService<ILoggerFactory>().CreateLogger(category));
        return console.ToString();
    }

    private static void AssertNoControlCharacters(string text) =>
        Assert.DoesNotContain(text, c => (char.IsControl(c) && c != '\n') || c is '\u2028' or '\u202e');

    private sealed class StuckWriter : StringWriter
    {
        public ManualResetEventSlim Entered { get; } = new();

        public ManualResetEventSlim Released { get; } = new();

        public override void Write(string? value)
        {
            Entered.Set();
            Released.Wait();
            base.Write(value);
        }
    }
}
