using System.Diagnostics;
using System.Text;
using Perch.Connections;
using Perch.Records;

namespace Perch.Tests.Shared;

/// <summary>Waits that end: nothing in these tests may hang.</summary>
internal static class Bounded
{
    public static readonly TimeSpan Time = TimeSpan.FromSeconds(20);

    public static Task Soon(this Task task) => task.WaitAsync(Time);

    public static Task<T> Soon<T>(this Task<T> task) => task.WaitAsync(Time);

    /// <summary>For a state that announces itself to nobody.</summary>
    public static async Task UntilAsync(Func<bool> holds)
    {
        var began = Stopwatch.GetTimestamp();
        while (!holds())
        {
            Assert.True(Stopwatch.GetElapsedTime(began) < Time, "It has not come to that.");
            await Task.Yield();
        }
    }

    /// <summary>Heartbeats come until the connection has ended: a session settles on the thread pool which batch they look at.</summary>
    public static async Task<EndedConnection> BeatToEndAsync(this Peer peer)
    {
        var ended = peer.EndedAsync();
        await UntilAsync(() =>
        {
            peer.Connection.Heartbeat();
            return ended.IsCompleted;
        });
        return await ended;
    }
}

/// <summary>Batches as a session makes them.</summary>
internal static class Batches
{
    public static RecordBatch Of(params ReadOnlySpan<string> messages) => Keyed(false, messages);

    public static RecordBatch Keyed(bool keyed, params ReadOnlySpan<string> messages)
    {
        var batch = new RecordBatch("test", "192.0.2.1:1");
        batch.Clear(DateTimeOffset.UnixEpoch);
        foreach (var message in messages) batch.Add(new(Encoding.UTF8.GetBytes(message)), keyed);
        return batch;
    }

    /// <summary>So many messages with so many bytes together.</summary>
    public static RecordBatch Sized(int records, int bytes)
    {
        var batch = Of(new string('x', bytes));
        for (var i = 1; i < records; i++) batch.Add(default, keyed: false);
        return batch;
    }

    public static string Text(this RecordBatch batch, int index) => Encoding.UTF8.GetString(batch.Message(index).Span);

    public static string[] Texts(this RecordBatch batch) => [.. Enumerable.Range(0, batch.Count).Select(batch.Text)];
}
