using System.Net.Sockets;

namespace Perch.Cli.Bench;

/// <summary>Tells which sockets can go on. One thread; level-triggered where nobody asked for something else.</summary>
internal interface IPoller : IDisposable
{
    /// <param name="socket">Not blocking.</param>
    /// <param name="id">What <see cref="Wait"/> calls it.</param>
    /// <param name="wantsWrite">Whether room to send is told as well as bytes to read.</param>
    void Add(Socket socket, int id, bool wantsWrite);

    void Change(Socket socket, int id, bool wantsWrite);

    void Remove(Socket socket, int id);

    /// <summary>Waits until one can go on, or no longer than so many milliseconds; 0 does not wait.</summary>
    /// <returns>Good until the next call.</returns>
    ReadOnlySpan<PollEvent> Wait(int milliseconds);
}

/// <summary>A socket that can go on.</summary>
/// <param name="Id">What it was added as.</param>
/// <param name="CanRead">Bytes are there, or the end.</param>
/// <param name="CanWrite">There is room to send, or a fault.</param>
/// <param name="IsEnding">Behind the bytes that are there is the end.</param>
internal readonly record struct PollEvent(int Id, bool CanRead, bool CanWrite, bool IsEnding);
