namespace Perch.Transport.Connections;

/// <summary>What became of bytes that were to be sent.</summary>
internal enum Sent
{
    /// <summary>The system has them.</summary>
    All,

    /// <summary>The socket takes no more for now.</summary>
    Part,

    /// <summary>They are dropped: the connection is no more.</summary>
    Failed,
}
