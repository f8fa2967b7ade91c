namespace Perch.Datagrams;

/// <summary>Why a datagram was not handled, or its reply not sent: the label <c>reason</c> of <c>perch.datagrams.dropped</c>.</summary>
internal enum DropReason
{
    /// <summary>The system's receive buffer was full.</summary>
    Kernel,

    /// <summary>As many datagrams as the guards allow are being handled.</summary>
    Queue,

    /// <summary>Longer than the protocol takes, or cut by the system.</summary>
    Truncated,

    /// <summary>From the port of a reflector, or of one of this process's endpoints.</summary>
    SourcePort,

    /// <summary>The protocol could not accept it.</summary>
    Malformed,

    /// <summary>The handler threw.</summary>
    Fault,

    /// <summary>A reply over three times what came.</summary>
    Budget,

    /// <summary>A reply over the rate of its source.</summary>
    Rate,

    /// <summary>An error reply to what looks like one.</summary>
    Error,

    /// <summary>A reply that the system did not take.</summary>
    Send,
}
