using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Perch.Cli.CommandLine;
using Perch.Cli.Json;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>Prints results and lists: a line each, for people or as JSON.</summary>
/// <param name="console">Where to.</param>
/// <param name="isJson">Whether lines are objects.</param>
/// <param name="screen">Has bars on the same terminal, perhaps.</param>
internal sealed class FileReport(CliConsole console, bool isJson, TransferScreen? screen = null)
{
    /// <param name="result">What was done.</param>
    /// <param name="toError">Where standard output has the file itself.</param>
    public async Task TellAsync(TransferResult result, bool toError = false)
    {
        if (toError) await SayAsync($"{PeerText.Escape(result.Name.Value, int.MaxValue)}: {ByteSize.Format(result.Length)}, sha256 {result.Sha256}");
        else if (!isJson) await PrintAsync($"{result.Outcome,-9} {ByteSize.Format(result.Length),10}  {result.Sha256[..16]}  {PeerText.Escape(result.Name.Value, int.MaxValue)}");
        else
        {
            WriteJson(json =>
            {
                json.WriteString("outcome", result.Outcome);
                json.WriteString("name", result.Name.Value);
                json.WriteNumber("length", result.Length);
                json.WriteString("sha256", result.Sha256);
                json.WriteNumber("transferred", result.Transferred);
            });
        }
    }

    public async Task TellAsync(ListedFile file)
    {
        if (!isJson)
        {
            await console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"{file.Length,14}  {file.Modified.UtcDateTime:yyyy-MM-dd HH:mm:ss}Z  {file.Sha256[..16]}  {PeerText.Escape(file.Name.Value, int.MaxValue)}"));
            return;
        }

        WriteJson(json =>
        {
            json.WriteString("name", file.Name.Value);
            json.WriteNumber("length", file.Length);
            json.WriteString("sha256", file.Sha256);
            json.WriteString("modified", file.Modified);
        });
    }

    public async Task TellAsync(FileName name, RemoteStatus status)
    {
        if (!isJson)
        {
            await console.Out.WriteLineAsync($"name      {PeerText.Escape(name.Value, int.MaxValue)}");
            if (status.Length is not null) await console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"length    {status.Length}"));
            if (status.Sha256 is not null) await console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"sha256    {status.Sha256}\nmodified  {status.Modified?.UtcDateTime:yyyy-MM-dd HH:mm:ss.ffffff}Z"));
            if (status.Partial > 0) await console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"partial   {status.Partial}"));
            return;
        }

        WriteJson(json =>
        {
            json.WriteString("name", name.Value);
            if (status.Length is { } length) json.WriteNumber("length", length);
            if (status.Sha256 is not null) json.WriteString("sha256", status.Sha256);
            if (status.Modified is { } modified) json.WriteString("modified", modified);
            if (status.Partial > 0) json.WriteNumber("partial", status.Partial);
        });
    }

    public Task FailAsync(Failure failure) => SayAsync($"perch: {failure.Text}");

    private Task SayAsync(string line) => screen?.TryPrint(line, isTerminal: true) == true ? Task.CompletedTask : console.SayAsync(line);

    private Task PrintAsync(string line) => screen?.TryPrint(line, console.IsOutputTerminal) == true ? Task.CompletedTask : console.Out.WriteLineAsync(line);

    private void WriteJson(Action<Utf8JsonWriter> members)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, JsonText.WriterOptions))
        {
            json.WriteStartObject();
            members(json);
            json.WriteEndObject();
        }

        if (screen?.TryPrint(System.Text.Encoding.UTF8.GetString(output.WrittenSpan), console.IsOutputTerminal) == true) return;
        console.Output.Write([.. output.WrittenSpan, (byte)'\n']);
        console.Output.Flush();
    }
}
