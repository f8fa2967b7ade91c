using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Perch.FunctionalTests.Record;

/// <summary>Sends 0, 1, 2 ... as fast as it may and, when it comes back, again from the first that was not acknowledged.</summary>
internal sealed class ResendingSender(string name, bool keyed)
{
    private const int Window = 200;

    public string Name { get; } = name;

    public int Acknowledged { get; private set; }

    /// <summary>Connections that ended with a refusal.</summary>
    public int Refusals { get; private set; }

    /// <summary>Until the connection ends, or a message is refused.</summary>
    public async Task SendAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await using var stream = client.GetStream();
            var answers = new StreamReader(stream, Encoding.ASCII);
            var next = Acknowledged;
            while (true)
            {
                var lines = new StringBuilder();
                for (; next < Acknowledged + Window; next++) lines.Append(CultureInfo.InvariantCulture, $"{(keyed ? $"@{Name}/{next} " : "")}{Name} {next}\n");
                await stream.WriteAsync(Encoding.ASCII.GetBytes(lines.ToString()));
                if (await answers.ReadLineAsync() is not { } answer) return;
                if (answer.StartsWith("ERR unavailable ", StringComparison.Ordinal))
                {
                    Refusals++;
                    return;
                }

                Assert.StartsWith("OK ", answer, StringComparison.Ordinal);
                Acknowledged++;
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            // The server was killed.
        }
    }

    /// <summary>Every number that was acknowledged is there, and the rows are in their order.</summary>
    /// <param name="rows">The texts of all senders' rows, by id.</param>
    /// <param name="once">Each is there once; else what was sent again may be there again.</param>
    /// <param name="inOrder">Whether they were stored in their order, which is not so where one was refused and the next was not.</param>
    public void Verify(IEnumerable<string> rows, bool once, bool inOrder = true)
    {
        var stored = rows.Select(row => row.Split(' ')).Where(row => row[0] == Name).Select(row => int.Parse(row[1], CultureInfo.InvariantCulture)).ToList();
        var distinct = (inOrder ? stored.Distinct() : stored.Distinct().Order()).ToList();
        Assert.Equal(Enumerable.Range(0, distinct.Count), distinct);
        Assert.True(distinct.Count >= Acknowledged, $"{Name}: {Acknowledged} acknowledged, {distinct.Count} stored");
        if (once) Assert.Equal(distinct.Count, stored.Count);
    }
}
