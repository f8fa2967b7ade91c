namespace Perch.Server.Configuration;

/// <summary>The keys of the section <c>Admin</c>.</summary>
internal sealed class AdminSettings
{
    /// <summary>The key that requests from other machines need. Default empty: requests from other machines are refused.</summary>
    public string ApiKey { get; set; } = "";
}
