namespace Perch.Cli.Files;

/// <summary>What was left of an earlier transfer does not fit the file: the transfer begins anew, once.</summary>
/// <param name="text">Why, fit for a terminal.</param>
/// <param name="sha256">The file's hash, so that it need not be read for it again.</param>
internal sealed class RestartException(string text, string sha256) : Exception(text)
{
    public string Sha256 { get; } = sha256;
}
