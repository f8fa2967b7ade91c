using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.DependencyInjection;
using Perch.Configuration;
using Perch.Endpoints;
using Perch.FunctionalTests.Hosting;
using Perch.Tests.Architecture;

namespace Perch.FunctionalTests.Configuration;

/// <summary>appsettings.schema.json, with which editors complete and check appsettings.json, has the keys of the program.</summary>
public sealed class SchemaTests
{
    private static readonly string Path = Repository.PathOf("appsettings.schema.json");

    private static readonly JsonSerializerOptions Written = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <remarks>With <c>PERCH_WRITE_SCHEMA=1</c> in the environment the test writes the file.</remarks>
    [Fact]
    public async Task Schema_OfTheRepository_IsThatOfTheTypes()
    {
        await using var host = await PerchHost.StartAsync(new ServerSettings().With("echo", """{ "Port": 0, "Protocol": "echo" }"""));
        var schema = ConfigurationSchema.Create(
            host.Services.GetServices<ProtocolDescriptor>(), host.Services.GetServices<SectionDescriptor>(), host.Services.GetServices<SectionChoice>());
        var text = schema.ToJsonString(Written) + "\n";
        if (Environment.GetEnvironmentVariable("PERCH_WRITE_SCHEMA") == "1")
            await File.WriteAllTextAsync(Path, text);

        Assert.True(text == await File.ReadAllTextAsync(Path), "A key has changed: PERCH_WRITE_SCHEMA=1 dotnet test --filter SchemaTests writes the file anew.");
    }

    [Fact]
    public void Settings_OfTheRepository_HaveKeysOfTheSchema()
    {
        var settings = JsonNode.Parse(File.ReadAllText(Repository.PathOf("appsettings.json")))!.AsObject();
        var schema = JsonNode.Parse(File.ReadAllText(Path))!.AsObject();

        Assert.Equal("./appsettings.schema.json", (string?)settings["$schema"]);
        settings.Remove("$schema");
        Assert.Empty(Unknown("", settings, schema));
    }

    private static IEnumerable<string> Unknown(string path, JsonObject settings, JsonObject schema)
    {
        foreach (var (key, value) in settings)
        {
            var known = schema["properties"]?[key] ?? schema["additionalProperties"] as JsonObject;
            if (known is null && schema["additionalProperties"]?.GetValueKind() == JsonValueKind.False)
                yield return $"{path}{key}";
            if (known is JsonObject inner && value is JsonObject section)
            {
                foreach (var unknown in Unknown($"{path}{key}:", section, inner))
                    yield return unknown;
            }
        }
    }
}
