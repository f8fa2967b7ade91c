using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Perch.Cli.Json;

/// <summary>JSON as <c>--json</c> prints it, in a pipe and on a terminal: a line an object, only invisible characters escaped.</summary>
internal static class JsonText
{
    private static readonly JavaScriptEncoder Encoder = new VisibleJsonEncoder();

    private static readonly JsonSerializerOptions Options = new() { Encoder = Encoder };

    public static readonly JsonWriterOptions WriterOptions = new() { Encoder = Encoder };

    public static string ToText(this JsonNode node) => node.ToJsonString(Options);
}
