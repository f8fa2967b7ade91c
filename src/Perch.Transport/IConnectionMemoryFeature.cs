namespace Perch.Transport;

/// <summary>The memory that a connection of the direct transport occupies. Its members are called on any thread, and return at once.</summary>
public interface IConnectionMemoryFeature
{
    /// <summary>Bytes of the blocks that hold received bytes that are not consumed, and written bytes that are not sent.</summary>
    long BytesOccupied { get; }

    /// <summary>Whether the connection failed because the process or the system had no memory for it.</summary>
    bool HasRunOut { get; }

    /// <summary>Receives nothing until <see cref="ResumeReading"/>; bytes that were received before can be read. A second call does nothing.</summary>
    void PauseReading();

    /// <summary>Receives again. A waiting read continues without another call.</summary>
    void ResumeReading();
}
