using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Perch.Cli.Json;
using Perch.Wire;

namespace Perch.Cli.Tests.Json;

public sealed class JsonTextTests
{
    [Theory]
    [InlineData("日本語 ü + & < > ' 😀 é", "日本語 ü + & < > ' 😀 é")]
    [InlineData("a\"b\\c/d", "a\\\"b\\\\c/d")]
    [InlineData("a\n\r\t\b\f", @"a\n\r\t\b\f")]
    [InlineData("\u0000\u0007\u001B[2J\u007F", @"\u0000\u0007\u001B[2J\u007F")]
    [InlineData("\u0085\u009B2J", @"\u0085\u009B2J")]
    [InlineData("\u202Eevil\u2066\u200B\uFEFF\u00AD", @"\u202Eevil\u2066\u200B\uFEFF\u00AD")]
    [InlineData("\u2028\u2029\uE000", @"\u2028\u2029\uE000")]
    [InlineData("\U000E0041\U000F0000", @"\uDB40\uDC41\uDB80\uDC00")]
    public void ToText_OfAString_EscapesWhatIsNotVisible(string text, string expected)
    {
        Assert.Equal($"\"{expected}\"", JsonValue.Create(text).ToText());
        using var output = new MemoryStream();
        using (var json = new Utf8JsonWriter(output, JsonText.WriterOptions))
            json.WriteStringValue(Encoding.UTF8.GetBytes(text));
        Assert.Equal($"\"{expected}\"", Encoding.UTF8.GetString(output.ToArray()));
        Assert.Equal(text, JsonNode.Parse($"\"{expected}\"")!.GetValue<string>());
    }

    /// <summary>The two ways in which the client shows what a peer sent hide the same characters.</summary>
    [Fact]
    public void ToText_OfEveryCharacter_ShowsWhatPeerTextShows()
    {
        for (var value = 0; value <= 0x10FFFF; value++)
        {
            if (!Rune.TryCreate(value, out var rune) || value is '"' or '\\')
                continue;
            var text = rune.ToString();
            Assert.Equal(PeerText.Escape(text) == text, JsonValue.Create(text).ToText() == $"\"{text}\"");
        }
    }
}
