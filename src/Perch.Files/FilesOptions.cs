namespace Perch.Files;

/// <summary>Options of <c>files</c>.</summary>
internal sealed class FilesOptions
{
    /// <summary>Whether <c>PUT</c> is allowed. Default true.</summary>
    public bool AllowPut { get; set; } = true;

    /// <summary>Whether <c>GET</c> is allowed. Default true; false makes a drop whose files nobody else reads.</summary>
    public bool AllowGet { get; set; } = true;

    /// <summary>Whether <c>LIST</c> is allowed. Default true.</summary>
    public bool AllowList { get; set; } = true;

    /// <summary>Whether <c>DELETE</c> is allowed. Default true. A <c>PUT</c> replaces a file all the same.</summary>
    public bool AllowDelete { get; set; } = true;
}
