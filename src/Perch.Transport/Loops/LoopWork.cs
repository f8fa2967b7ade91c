namespace Perch.Transport.Loops;

/// <summary>What is handed to a loop from elsewhere, or put off to its next turn.</summary>
internal enum LoopWork
{
    /// <summary>A read goes on, or ends as cancelled or failed.</summary>
    Read,

    /// <summary>A flush ends.</summary>
    Flush,

    /// <summary>Both directions are done; the peer's end is waited for.</summary>
    Linger,

    /// <summary>The socket is closed: who waits for that is told.</summary>
    Closed,

    /// <summary>An accept goes on, or ends.</summary>
    Accept,

    /// <summary>The source wants to be reminded.</summary>
    Remind,
}
