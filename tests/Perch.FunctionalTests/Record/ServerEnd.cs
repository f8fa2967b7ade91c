using Perch.FunctionalTests.Hosting;

namespace Perch.FunctionalTests.Record;

/// <summary>How a server is ended.</summary>
public enum ServerEnd
{
    /// <summary>SIGKILL.</summary>
    Kill,

    /// <summary>SIGTERM: the connections drain, and the exit code is 0.</summary>
    Terminate,

    /// <summary>SIGSTOP and SIGCONT, and then SIGKILL.</summary>
    PauseAndKill,
}

internal static class ServerEndExtensions
{
    /// <summary>Ends the server after a random time. The time is the subject of the test: no event ends it.</summary>
    /// <param name="server">The server.</param>
    /// <param name="end">How it ends.</param>
    /// <param name="random">Source of the time.</param>
    /// <param name="most">The longest time, in milliseconds.</param>
    public static async Task EndAtRandomAsync(this ServerProcess server, ServerEnd end, Random random, int most)
    {
        await Task.Delay(random.Next(20, most));
        if (end == ServerEnd.PauseAndKill)
        {
            server.Signal(ServerProcess.Sigstop);
            await Task.Delay(random.Next(20, most));
            server.Signal(ServerProcess.Sigcont);
            await Task.Delay(random.Next(0, most));
        }

        server.Signal(end == ServerEnd.Terminate ? ServerProcess.Sigterm : ServerProcess.Sigkill);
        var ended = await server.WaitForExitAsync();
        if (end == ServerEnd.Terminate)
            Assert.Equal(0, ended.ExitCode);
    }
}
