using System.CommandLine;
using Perch.Cli.Admin;

namespace Perch.Cli.CommandLine;

/// <summary>Where the admin endpoint is, for the verbs that ask it.</summary>
internal sealed class AdminOptions
{
    private static readonly Uri Default = new("http://localhost:8080");

    private readonly Argument<Uri?> _url = new("URL")
    {
        Description = "The admin endpoint (default: http://localhost:8080).",
        Arity = ArgumentArity.ZeroOrOne,
        CustomParser = result =>
        {
            if (result.Tokens.Count == 0) return Default;
            var text = result.Text();
            if (Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}", UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return url;
            result.RefuseValue("is not the address of an admin endpoint: write http://host:port.");
            return null;
        },
    };

    private readonly Option<string?> _key = new("--api-key") { Description = "The server's Admin:ApiKey (default: the environment variable PERCH_API_KEY).", HelpName = "key" };

    public void AddTo(Command command)
    {
        command.Add(_url);
        command.Add(_key);
    }

    public AdminLink Link(ParseResult result) => new(result.GetValue(_url) ?? Default, result.GetValue(_key) ?? Environment.GetEnvironmentVariable("PERCH_API_KEY"), result.GetTimeout());
}
