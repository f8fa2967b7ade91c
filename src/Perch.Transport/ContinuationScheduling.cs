namespace Perch.Transport;

/// <summary>Where what waits for a connection goes on, and what is served by its listener begins.</summary>
public enum ContinuationScheduling
{
    /// <summary>On the connection's loop: the fastest, for code that does not block and computes for microseconds.</summary>
    Inline,

    /// <summary>On the thread pool: for code that computes or blocks.</summary>
    ThreadPool,
}
