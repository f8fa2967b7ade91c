namespace Perch.Transport;

/// <summary>The memory that a connection of the direct transport occupies. Its members are called on any thread, and return at once.</summary>
public interface IConnectionMemoryFeature
{
    /// <summary>Bytes of the blocks that hold what the peer sent and is not consumed, and what is not sent to the peer yet.</summary>
    long BytesOccupied { get; }

    /// <summary>Whether the connection failed because the process or the system had no memory for it.</summary>
    bool HasRunOut { get; }

    /// <summary>Receives nothing until <see cref="ResumeReading"/>; what was received before can still be read. A second call does nothing.</summary>
    void PauseReading();

    /// <summary>Receives again. A read that waits goes on by itself.</summary>
    void ResumeReading();
}
