namespace Perch.Wire.Files;

/// <summary>The commands of the protocol <c>files</c>.</summary>
public enum FileVerb
{
    /// <summary><c>PUT &lt;name&gt; &lt;length&gt; [sha256=&lt;hex&gt;] [offset=&lt;n&gt;]</c>, then the bytes.</summary>
    Put,

    /// <summary><c>GET &lt;name&gt; [offset=&lt;n&gt;] [length=&lt;n&gt;]</c>.</summary>
    Get,

    /// <summary><c>STAT &lt;name&gt;</c>.</summary>
    Stat,

    /// <summary><c>LIST [prefix] [after=&lt;name&gt;] [limit=&lt;n&gt;]</c>.</summary>
    List,

    /// <summary><c>DELETE &lt;name&gt;</c>.</summary>
    Delete,

    /// <summary><c>QUIT</c>.</summary>
    Quit,
}
