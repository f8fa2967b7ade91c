namespace Perch.Benchmarks;

/// <summary>Clients of a server, and how many messages they have got back.</summary>
internal interface ILoadGenerator : IDisposable
{
    /// <summary>Messages that came back whole.</summary>
    long Messages { get; }

    Task StartAsync();

    Task StopAsync();
}
