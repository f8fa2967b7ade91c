using System.Collections.Concurrent;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using Perch.Configuration;
using Perch.Endpoints;
using Perch.Server.Configuration;

namespace Perch.FunctionalTests.Configuration;

/// <summary>The JSON schema of appsettings.json, from the types that the configuration is read into.</summary>
internal static partial class ConfigurationSchema
{
    private const string TimeSpanPattern = @"^(\d+\.)?\d{2}:\d{2}:\d{2}(\.\d{1,7})?$";

    private static readonly ConcurrentDictionary<Assembly, XDocument> Documents = new();

    /// <param name="protocols">The registered protocols.</param>
    /// <param name="sections">The registered sections under <c>Perch</c>.</param>
    /// <param name="choices">The registered words of keys.</param>
    public static JsonObject Create(IEnumerable<ProtocolDescriptor> protocols, IEnumerable<SectionDescriptor> sections, IEnumerable<SectionChoice> choices)
    {
        var perch = ObjectOf(typeof(PerchSettings));
        perch["properties"]!["Endpoints"] = new JsonObject
        {
            ["description"] = "The endpoints by name. The name is their label in logs and metrics.",
            ["type"] = "object",
            ["additionalProperties"] = Endpoint([.. protocols.OrderBy(p => p.Name, StringComparer.Ordinal)]),
        };
        foreach (var section in sections.GroupBy(s => s.Name).OrderBy(s => s.Key, StringComparer.Ordinal))
            perch["properties"]![section.Key] = Section(section.Key, [.. section.Select(s => s.OptionsType)], [.. choices]);
        return new()
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "appsettings.json of a Perch server",
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["Perch"] = perch,
                ["Admin"] = Admin(),
                ["Logging"] = new JsonObject
                {
                    ["type"] = "object",
                    ["properties"] = new JsonObject { ["Format"] = new JsonObject { ["description"] = "The format of log lines. Default Text.", ["enum"] = new JsonArray("Text", "Json") } },
                },
                ["Kestrel"] = new JsonObject { ["description"] = "The admin endpoint and its limits: the keys of ASP.NET Core Kestrel.", ["type"] = "object" },
                ["Serilog"] = new JsonObject { ["description"] = "Levels and sinks: the keys of Serilog.Settings.Configuration.", ["type"] = "object" },
            },
        };
    }

    private static JsonObject Admin()
    {
        var admin = ObjectOf(typeof(AdminSettings));
        admin["properties"]![AdminSettings.Hosts] = new JsonObject
        {
            ["description"] = "Host names of the admin endpoint besides localhost: a list, or names with commas between them.",
            ["type"] = new JsonArray("string", "array"),
            ["items"] = new JsonObject { ["type"] = "string" },
        };
        return admin;
    }

    private static JsonObject Section(string name, Type[] types, SectionChoice[] choices)
    {
        var merged = ObjectOf(types[0]);
        foreach (var (key, value) in types.Skip(1).SelectMany(type => ObjectOf(type)["properties"]!.AsObject()).ToList())
            merged["properties"]!.AsObject().TryAdd(key, value!.DeepClone());
        foreach (var words in choices.Where(choice => choice.Section == name).GroupBy(choice => choice.Key))
            merged["properties"]![words.Key]!["enum"] = new JsonArray([.. words.Select(choice => (JsonNode)choice.Word)]);
        return merged;
    }

    private static JsonObject Endpoint(ProtocolDescriptor[] protocols)
    {
        var endpoint = ObjectOf(typeof(EndpointSettings));
        var properties = endpoint["properties"]!.AsObject();
        properties["Protocol"]!["enum"] = new JsonArray([.. protocols.Select(p => (JsonNode)p.Name)]);
        properties["Guards"] = ObjectOf(typeof(GuardOptions));
        properties["Options"] = new JsonObject { ["description"] = "The options of the protocol.", ["type"] = "object" };
        endpoint["allOf"] = new JsonArray([.. protocols.Select(protocol => (JsonNode)new JsonObject
        {
            ["if"] = new JsonObject { ["required"] = new JsonArray("Protocol"), ["properties"] = new JsonObject { ["Protocol"] = new JsonObject { ["const"] = protocol.Name } } },
            ["then"] = new JsonObject { ["properties"] = new JsonObject { ["Options"] = ObjectOf(protocol.OptionsType) } },
        })]);
        return endpoint;
    }

    private static JsonObject ObjectOf(Type type)
    {
        var defaults = Activator.CreateInstance(type)!;
        var properties = new JsonObject();
        foreach (var property in type.GetProperties().Where(p => p.SetMethod is { IsPublic: true }).OrderBy(p => p.Name, StringComparer.Ordinal))
            properties[property.Name] = Value(property, property.GetValue(defaults));
        return new() { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };
    }

    private static JsonObject Value(PropertyInfo property, object? standard)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var schema = type switch
        {
            _ when type == typeof(bool) => new JsonObject { ["type"] = "boolean" },
            _ when type == typeof(string) => new JsonObject { ["type"] = "string" },
            _ when type == typeof(string[]) => new JsonObject { ["type"] = "array", ["items"] = new JsonObject { ["type"] = "string" } },
            _ when type == typeof(TimeSpan) => new JsonObject { ["type"] = "string", ["pattern"] = TimeSpanPattern },
            { IsEnum: true } => new JsonObject { ["enum"] = new JsonArray([.. Enum.GetNames(type).Select(name => (JsonNode)name)]) },
            { IsPrimitive: true } => new JsonObject { ["type"] = type == typeof(double) ? "number" : "integer" },
            _ => ObjectOf(type),
        };
        if (Description(property) is { Length: > 0 } description)
            schema["description"] = description;
        if (property.GetCustomAttribute<RangeAttribute>() is { } range && type.IsPrimitive)
            AddRange(schema, range);
        // The cap over all connections follows the machine.
        if (standard is not null && type != typeof(string[]) && !schema.ContainsKey("properties") && property.Name != nameof(PerchSettings.MaxConnections))
            schema["default"] = type.IsPrimitive ? JsonSerializer.SerializeToNode(standard, type) : JsonValue.Create(Convert.ToString(standard, CultureInfo.InvariantCulture));
        return schema;
    }

    private static void AddRange(JsonObject schema, RangeAttribute range)
    {
        schema["minimum"] = Convert.ToInt64(range.Minimum, CultureInfo.InvariantCulture);
        // A range of long is one of double, whose largest number is no long.
        if (Convert.ToDouble(range.Maximum, CultureInfo.InvariantCulture) < long.MaxValue)
            schema["maximum"] = Convert.ToInt64(range.Maximum, CultureInfo.InvariantCulture);
    }

    /// <returns>The summary of a property in the assembly's documentation, as plain text.</returns>
    private static string? Description(PropertyInfo property)
    {
        var assembly = property.DeclaringType!.Assembly;
        var document = Documents.GetOrAdd(assembly, static a => XDocument.Load(Path.ChangeExtension(a.Location, ".xml")));
        var name = $"P:{property.DeclaringType.FullName!.Replace('+', '.')}.{property.Name}";
        var summary = document.Descendants("member").FirstOrDefault(member => member.Attribute("name")?.Value == name)?.Element("summary");
        return summary is null ? null : WhiteSpace().Replace(string.Concat(summary.Nodes().Select(Text)), " ").Trim();
    }

    private static string Text(XNode node) => node switch
    {
        XText text => text.Value,
        XElement element => element.Attribute("cref")?.Value is { } cref ? cref[(cref.LastIndexOf('.') + 1)..] : element.Value,
        _ => "",
    };

    [GeneratedRegex(@"\s+", RegexOptions.NonBacktracking)]
    private static partial Regex WhiteSpace();
}
