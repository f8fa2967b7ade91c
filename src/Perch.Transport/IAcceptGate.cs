namespace Perch.Transport;

/// <summary>Decides whether a listener accepts another connection. Its members are called on any thread, and return at once.</summary>
public interface IAcceptGate
{
    /// <summary>The cause of a refusal and its cure, for the log.</summary>
    string Reason { get; }

    /// <summary>Called before each accept. While it returns false, connections wait in the system's backlog; it is called again after 10 ms.</summary>
    /// <returns>Whether the listener may accept one connection.</returns>
    bool TryEnter();

    /// <summary>Called if the accept that <see cref="TryEnter"/> allowed gave no connection.</summary>
    void Leave();
}
