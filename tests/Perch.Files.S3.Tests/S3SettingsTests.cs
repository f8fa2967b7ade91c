using System.Reflection;

namespace Perch.Files.S3.Tests;

public sealed class S3SettingsTests
{
    private static S3Options Good => new() { Store = S3Registration.StoreName, Bucket = "perch", ServiceUrl = "https://s3.example.org:9000" };

    [Fact]
    public void Faults_OfWhatIsRight_AreNone()
    {
        foreach (var change in (Action<S3Options>[])[_ => { }, o => o.Prefix = "写真/a b/", o => (o.AccessKey, o.SecretKey) = ("a", "b"), o => o.ServiceUrl = "http://127.0.0.1:1/", o => (o.ServiceUrl, o.Region) = ("", "eu-central-1")])
        {
            var options = Good;
            change(options);
            Assert.Empty(S3Settings.Faults(options));
        }
    }

    /// <summary>A host name may move: a connection to the server that it meant before is not used for ever.</summary>
    [Fact]
    public void CreateClient_Connections_HaveABoundedLife()
    {
        using var client = S3Settings.CreateClient(Good);
        using var http = client.Config.HttpClientFactory.CreateHttpClient(client.Config);
        var handler = typeof(HttpMessageInvoker).GetField("_handler", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(http);
        var sockets = Assert.IsType<SocketsHttpHandler>(handler);
        Assert.InRange(sockets.PooledConnectionLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(5));
        Assert.Equal(TimeSpan.FromSeconds(5), sockets.ConnectTimeout);
        Assert.Equal(Good.Timeout, http.Timeout);
    }

    [Fact]
    public void Faults_OfEachMistake_NameItsKey()
    {
        foreach (var (key, change) in ((string, Action<S3Options>)[])
        [
            ("Bucket", o => o.Bucket = ""), ("Bucket", o => o.Bucket = "a/b"), ("Bucket", o => o.Bucket = new('a', 256)),
            ("Prefix", o => o.Prefix = "a"), ("Prefix", o => o.Prefix = "/"), ("Prefix", o => o.Prefix = "../"), ("Prefix", o => o.Prefix = ".perch/"), ("Prefix", o => o.Prefix = string.Concat(Enumerable.Repeat("abcdefgh/", 31)) + new string('a', 254) + "/"),
            ("ServiceUrl", o => o.ServiceUrl = "s3.example.org"), ("ServiceUrl", o => o.ServiceUrl = "ftp://a"), ("ServiceUrl", o => o.ServiceUrl = "http://user:geheim@a"), ("ServiceUrl", o => o.ServiceUrl = "http://a/b"),
            ("Region", o => o.Region = "eu central"),
            ("AccessKey", o => o.AccessKey = "a"), ("AccessKey", o => o.SecretKey = "geheim"), ("SessionToken", o => o.SessionToken = "geheim"),
        ])
        {
            var options = Good;
            change(options);
            var fault = Assert.Single(S3Settings.Faults(options));
            Assert.Equal(key, Assert.Single(fault.MemberNames));
            Assert.DoesNotContain("geheim", fault.ErrorMessage, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Checkpoint_OfTheLongestName_FitsAndComesBack()
    {
        var checkpoint = new S3Checkpoint(string.Join('/', Enumerable.Repeat(new string('"', 255), 4)), new('a', 32), new('u', 1000), 64, 3, new('0', 64), S3Checkpoint.NoParts, 5, null);
        var line = checkpoint.ToLine();
        Assert.InRange(line.Length, 1, S3Checkpoint.MaxLineBytes);
        Assert.Equal(checkpoint, S3Checkpoint.Parse(line.AsSpan(0, line.Length - 1)));
        Assert.Equal((3 * 64) + 5, checkpoint.Length);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("null")]
    [InlineData("""{"name":"a","id":"00000000000000000000000000000000","partBytes":63,"parts":0,"state":"0000000000000000000000000000000000000000000000000000000000000000","chain":"","tail":0}""")]
    [InlineData("""{"name":"a","id":"00000000000000000000000000000000","partBytes":64,"parts":1,"state":"0000000000000000000000000000000000000000000000000000000000000000","chain":"","tail":0}""")]
    [InlineData("""{"name":"a","id":"00000000000000000000000000000000","partBytes":64,"parts":0,"state":"0000000000000000000000000000000000000000000000000000000000000000","chain":"","tail":65}""")]
    [InlineData("""{"name":"a","id":"00000000000000000000000000000000","partBytes":64,"parts":0,"state":"x000000000000000000000000000000000000000000000000000000000000000","chain":"","tail":0}""")]
    public void Checkpoint_ThatIsNone_IsNotTaken(string line) => Assert.Null(S3Checkpoint.Parse(System.Text.Encoding.UTF8.GetBytes(line)));
}
