using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Perch.Cli.Json;
using Perch.Wire;

namespace Perch.Cli.Record;

/// <summary>Prints records as they come from the admin endpoint: a line each.</summary>
internal sealed class RecordPrinter(CliConsole console, bool isJson)
{
    /// <param name="line">The object as JSON.</param>
    /// <returns>Its id.</returns>
    /// <exception cref="CliException">It is no record.</exception>
    public async Task<long> PrintAsync(ReadOnlyMemory<byte> line)
    {
        try
        {
            var record = JsonNode.Parse(line.Span)!;
            var id = record["id"]!.GetValue<long>();
            if (isJson)
            {
                // Parsed and written again: a terminal gets visible characters only, whatever the server put into its strings.
                if (console.IsOutputTerminal)
                    await console.Out.WriteLineAsync(record.ToText());
                else
                    console.Output.Write([.. line.Span, (byte)'\n']);
            }
            else
            {
                var received = record["receivedAt"]!.GetValue<DateTimeOffset>().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);
                await console.Out.WriteLineAsync($"{id}  {received}  {Text(record, "endpoint")}  {Text(record, "remote")}  {Text(record, "data")}");
            }

            return id;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or NullReferenceException or FormatException)
        {
            throw new CliException(ExitCode.Refused, "The server sent something that is no record.");
        }
    }

    private static string Text(JsonNode record, string name) => PeerText.Escape(record[name]!.GetValue<string>().TrimEnd('\n'), int.MaxValue);
}
