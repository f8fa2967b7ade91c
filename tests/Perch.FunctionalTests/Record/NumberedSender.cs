using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace Perch.FunctionalTests.Record;

/// <summary>
/// Sends 0, 1, 2 ... over one connection, a burst at a time, and notes what each was answered. None is sent again. As
/// senders do that are told to send again, it waits a little when it was refused.
/// </summary>
internal sealed class NumberedSender
{
    private const int Burst = 500;
    private const string Stored = "OK";

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(10);

    private readonly string _padding;

    /// <summary>What each number was answered: <c>OK</c> or the code of the refusal.</summary>
    private readonly List<string> _answers = [];

    /// <param name="name">Without spaces.</param>
    /// <param name="port">The endpoint's, with the answer <c>OK {id}</c> LF.</param>
    /// <param name="bytes">The size of a message, about.</param>
    public NumberedSender(string name, int port, int bytes)
    {
        (Name, _padding) = (name, new('x', bytes));
        Ended = RunAsync(port);
    }

    public string Name { get; }

    /// <summary>The server has closed the connection.</summary>
    public Task Ended { get; }

    public int Acknowledged => Count(Stored);

    /// <summary>The code of the last answer; null where that was an acknowledgement, or there was none.</summary>
    public string? Refusal
    {
        get
        {
            lock (_answers) return _answers.Count > 0 && _answers[^1] is var last && last != Stored ? last : null;
        }
    }

    public int Count(string answer)
    {
        lock (_answers) return _answers.Count(answer.Equals);
    }

    /// <summary>The numbers that were answered so.</summary>
    public HashSet<int> Numbers(params string[] answers)
    {
        lock (_answers) return [.. Enumerable.Range(0, _answers.Count).Where(number => answers.Contains(_answers[number]))];
    }

    public HashSet<int> AcknowledgedNumbers() => Numbers(Stored);

    private async Task RunAsync(int port)
    {
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync("127.0.0.1", port);
            await using var stream = client.GetStream();
            var answers = new StreamReader(stream, Encoding.ASCII);
            for (var next = 0; ; next += Burst)
            {
                var sending = stream.WriteAsync(Lines(next)).AsTask();
                var refused = false;
                for (var i = 0; i < Burst; i++)
                {
                    if (await answers.ReadLineAsync() is not { } answer) return;
                    refused |= !Note(answer);
                }

                await sending;
                if (refused) await Task.Delay(Pause);
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            // The server was killed, or has cut the connection: the test knows which it should be.
        }
    }

    private byte[] Lines(int first)
    {
        var lines = new StringBuilder();
        for (var number = first; number < first + Burst; number++) lines.Append(CultureInfo.InvariantCulture, $"{Name} {number} {_padding}\n");
        return Encoding.ASCII.GetBytes(lines.ToString());
    }

    /// <returns>Whether it is an acknowledgement.</returns>
    private bool Note(string answer)
    {
        var words = answer.Split(' ');
        Assert.Contains(words[0], new[] { Stored, "ERR" });
        var note = words[0] == Stored ? Stored : words[1];
        lock (_answers) _answers.Add(note);
        return note == Stored;
    }
}
