using System.Net;
using Perch.Tests.Shared;

namespace Perch.FunctionalTests.Files;

/// <summary>Each URL has one meaning, and <c>Repr-Digest</c> is the dictionary of RFC 9530.</summary>
public sealed class HttpNameTests
{
    [Theory]
    [InlineData("/files/a%20b", "a b")]
    [InlineData("/files/a%20b?x=%ff", "a b")]
    [InlineData("/FILES/%61", "a")]
    [InlineData("/%66iles/a", "a")]
    [InlineData("/files/100%25", "100%")]
    [InlineData("/files/a%252Fb", "a%2Fb")]
    [InlineData("/files/a+b", "a+b")]
    [InlineData("/files/%E5%86%99/x", "写/x")]
    [InlineData("http://localhost/files/a/b", "a/b")]
    public async Task Put_Target_IsTheNameOnceDecoded(string target, string name)
    {
        await using var http = await FileHttp.StartAsync();
        Assert.StartsWith("HTTP/1.1 204 ", await http.SendLiteralAsync("PUT", target, "Content-Length: 1\r\n", "x"), StringComparison.Ordinal);
        Assert.Equal("x", await File.ReadAllTextAsync(Path.Combine(http.Host.Folder.Root, "data/files", name)));
        Assert.StartsWith("HTTP/1.1 200 ", await http.SendLiteralAsync("GET", target), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 204 ", await http.SendLiteralAsync("DELETE", target), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/files/%ff", "UTF-8")]
    [InlineData("/files/%C0%AF", "UTF-8")]
    [InlineData("/files/%ED%A0%80", "UTF-8")]
    [InlineData("/files/a%2Fb", "%2F")]
    [InlineData("/files/a%2fb", "%2F")]
    [InlineData("/files/%zz", "%25")]
    [InlineData("/files/a%", "%25")]
    [InlineData("/files/a%2", "%25")]
    [InlineData("/files/a/../b", "dot")]
    [InlineData("/files/a/%2e%2e/b", "dot")]
    [InlineData("/x/../files/b", "normalized")]
    [InlineData("/files//b", "segment")]
    [InlineData("/files/b/", "segment")]
    [InlineData("/files/a%5Cb", "backslash")]
    [InlineData("/files/a%0Ab", "control")]
    public async Task AllMethods_TargetThatIsNoName_IsABadRequest(string target, string cure)
    {
        await using var http = await FileHttp.StartAsync();
        foreach (var method in (string[])["PUT", "GET", "DELETE"])
        {
            var response = await http.SendLiteralAsync(method, target, "Content-Length: 1\r\n", "x");
            Assert.StartsWith("HTTP/1.1 400 ", response, StringComparison.Ordinal);
            Assert.Contains(cure, response, StringComparison.Ordinal);
        }

        Assert.Empty(await http.GetAsync("/files"));
    }

    [Fact]
    public async Task Put_Digests_AreADictionaryOfWhichSha256IsUsed()
    {
        await using var http = await FileHttp.StartAsync();
        var (right, wrong) = ($"sha-256=:{Base64("x"u8)}:", $"sha-256=:{Base64("y"u8)}:");
        (string Header, string Value, int Status)[] cases =
        [
            ("Repr-Digest", right, 204),
            ("Repr-Digest", wrong, 422),
            ("Repr-Digest", $"sha-512=:AAAA:, {right}", 204),
            ("Repr-Digest", $"sha-512=:AAAA:;q=\"a,b\",{wrong};a=1", 422),
            ("Repr-Digest", "sha-512=:AAAA:", 204),
            ("Repr-Digest", $"{wrong}, {right}", 204),
            ("Repr-Digest", $"{right},", 400),
            ("Repr-Digest", "", 400),
            ("Repr-Digest", Base64("x"u8), 400),
            ("Repr-Digest", "sha-256=:AAAA:", 400),
            ("Repr-Digest", "sha-256=abc", 400),
            ("Content-Digest", right, 204),
            ("Content-Digest", wrong, 422),
            ("Content-Digest", "sha-256=x", 400),
        ];
        foreach (var (header, value, status) in cases)
        {
            var response = await http.SendLiteralAsync("PUT", "/files/a", $"{header}: {value}\r\nContent-Length: 1\r\n", "x");
            Assert.Equal((header, value, status), (header, value, int.Parse(response.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture)));
        }

        Assert.Equal(HttpStatusCode.BadRequest, await http.PutAsync("/files/a", "x"u8.ToArray(), ("Repr-Digest", right), ("Content-Digest", wrong)));
        // The digest of a part says nothing of the file.
        Assert.Equal(HttpStatusCode.Accepted, await http.PutAsync("/files/a", "x"u8.ToArray(), ("Content-Range", "bytes 0-0/2"), ("Content-Digest", wrong)));
    }

    private static string Base64(ReadOnlySpan<byte> text) => Convert.ToBase64String(Convert.FromHexString(FileFolder.Hash(text)));
}
