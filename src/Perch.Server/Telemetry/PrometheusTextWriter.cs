using System.Buffers;
using System.Globalization;
using System.Text;

namespace Perch.Server.Telemetry;

/// <summary>
/// Writes the Prometheus text format 0.0.4 into a buffer that is kept from scrape to scrape. Not thread-safe: its owner
/// lets one scrape in at a time.
/// </summary>
internal sealed class PrometheusTextWriter
{
    private static readonly SearchValues<char> EscapedInValues = SearchValues.Create("\\\"\n");
    private static readonly SearchValues<char> EscapedInHelp = SearchValues.Create("\\\n");

    private readonly ArrayBufferWriter<byte> _text = new(16 * 1024);
    private readonly ArrayBufferWriter<byte> _labels = new(256);
    private readonly Dictionary<string, string> _labelNames = new(StringComparer.Ordinal);

    public ReadOnlyMemory<byte> Written => _text.WrittenMemory;

    /// <summary>The labels of the samples that follow, as they will be written.</summary>
    public ReadOnlySpan<byte> Labels => _labels.WrittenSpan;

    public void Clear() => _text.ResetWrittenCount();

    public void WriteHeader(string name, string type, string help)
    {
        if (help.Length > 0)
        {
            _text.Write("# HELP "u8);
            Append(_text, name);
            _text.Write(" "u8);
            AppendEscaped(_text, help, EscapedInHelp);
            _text.Write("\n"u8);
        }
        _text.Write("# TYPE "u8);
        Append(_text, name);
        _text.Write(" "u8);
        Append(_text, type);
        _text.Write("\n"u8);
    }

    /// <summary>Sets the labels of the samples that follow. <paramref name="tags"/> are sorted by key.</summary>
    public void SetLabels(ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        _labels.ResetWrittenCount();
        for (var i = 0; i < tags.Length; i++)
        {
            var name = LabelName(tags[i].Key);
            if (Contains(tags[..i], name))
                continue;

            if (_labels.WrittenCount > 0)
                _labels.Write(","u8);
            Append(_labels, name);
            _labels.Write("=\""u8);
            AppendEscaped(_labels, Text(tags[i].Value), EscapedInValues);

            // Keys that differ only in what Prometheus does not allow ("a.b" and "a_b") are one label, values joined: a
            // label that is there twice would make the whole scrape invalid.
            foreach (var (key, value) in tags[(i + 1)..])
            {
                if (LabelName(key) != name)
                    continue;
                _labels.Write(";"u8);
                AppendEscaped(_labels, Text(value), EscapedInValues);
            }
            _labels.Write("\""u8);
        }
    }

    /// <summary>One line: the name, the labels that were set, and <c>le</c> where it is a bucket.</summary>
    public void WriteSample(string name, string suffix, double value, double? le = null)
    {
        Append(_text, name);
        Append(_text, suffix);
        if (_labels.WrittenCount > 0 || le is not null)
        {
            _text.Write("{"u8);
            _text.Write(_labels.WrittenSpan);
            if (le is { } bound)
            {
                _text.Write(_labels.WrittenCount > 0 ? ",le=\""u8 : "le=\""u8);
                AppendNumber(bound);
                _text.Write("\""u8);
            }
            _text.Write("}"u8);
        }
        _text.Write(" "u8);
        AppendNumber(value);
        _text.Write("\n"u8);
    }

    // Prometheus stores doubles, so an integer above 2^53 loses nothing here that it would not lose there.
    private void AppendNumber(double value)
    {
        if (!double.IsFinite(value))
        {
            _text.Write(double.IsNaN(value) ? "NaN"u8 : value > 0 ? "+Inf"u8 : "-Inf"u8);
            return;
        }
        var span = _text.GetSpan(32);
        value.TryFormat(span, out var written, default, CultureInfo.InvariantCulture);
        _text.Advance(written);
    }

    private bool Contains(ReadOnlySpan<KeyValuePair<string, object?>> tags, string name)
    {
        foreach (var (key, _) in tags)
        {
            if (LabelName(key) == name)
                return true;
        }
        return false;
    }

    // Keys are constants in the code, so this holds a handful of entries.
    private string LabelName(string key)
    {
        if (!_labelNames.TryGetValue(key, out var name))
            _labelNames[key] = name = PrometheusNames.Label(key);
        return name;
    }

    private static string Text(object? value) => value switch
    {
        string text => text,
        bool flag => flag ? "true" : "false",
        _ => Convert.ToString(value, CultureInfo.InvariantCulture) ?? "",
    };

    private static void AppendEscaped(ArrayBufferWriter<byte> output, ReadOnlySpan<char> text, SearchValues<char> escaped)
    {
        int index;
        while ((index = text.IndexOfAny(escaped)) >= 0)
        {
            Append(output, text[..index]);
            output.Write(text[index] switch { '\n' => "\\n"u8, '"' => "\\\""u8, _ => "\\\\"u8 });
            text = text[(index + 1)..];
        }
        Append(output, text);
    }

    private static void Append(ArrayBufferWriter<byte> output, ReadOnlySpan<char> text) => Encoding.UTF8.GetBytes(text, output);
}
