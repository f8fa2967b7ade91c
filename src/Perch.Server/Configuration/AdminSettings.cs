namespace Perch.Server.Configuration;

/// <summary>The keys of the section <c>Admin</c>.</summary>
internal sealed class AdminSettings
{
    /// <summary>The key of the host names besides localhost: a list, or names with commas between them. Any text is a name.</summary>
    public const string Hosts = "Hosts";

    /// <summary>The key that requests need. Default empty: this machine may read, and every other request is refused.</summary>
    public string ApiKey { get; set; } = "";
}
