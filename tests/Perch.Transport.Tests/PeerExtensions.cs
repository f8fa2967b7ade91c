using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections;

namespace Perch.Transport.Tests;

/// <summary>Waits that end. A loop runs whoever waited for it to his next await: a test goes on elsewhere, or it would hold the loop.</summary>
internal static class PeerExtensions
{
    public static Task<T> Soon<T>(this ValueTask<T> task) => task.AsTask().Soon();

    public static async Task<T> Soon<T>(this Task<T> task)
    {
        await ((Task)task).Soon();
        return await task;
    }

    public static async Task Soon(this Task task)
    {
        try
        {
            await task.WaitAsync(TransportHost.Limit);
        }
        finally
        {
            await Task.Yield();
        }
    }

    public static async Task SendTextAsync(this Socket socket, string text) => Assert.Equal(text.Length, await socket.SendAsync(Encoding.ASCII.GetBytes(text)));

    public static async Task SendAllAsync(this Socket socket, ReadOnlyMemory<byte> bytes)
    {
        while (bytes.Length > 0)
            bytes = bytes[await socket.SendAsync(bytes)..];
    }

    public static async Task<byte[]> ReceiveExactlyAsync(this Socket socket, int count)
    {
        var buffer = new byte[count];
        var have = 0;
        while (have < count)
        {
            var got = await socket.ReceiveAsync(buffer.AsMemory(have)).Soon();
            if (got == 0) break;
            have += got;
        }

        return buffer[..have];
    }

    public static async Task<string> ReceiveTextAsync(this Socket socket, int count) => Encoding.ASCII.GetString(await socket.ReceiveExactlyAsync(count));

    /// <summary>Until the end; a reset is a <see cref="SocketException"/>.</summary>
    public static async Task<byte[]> ReceiveToEndAsync(this Socket socket)
    {
        using var all = new MemoryStream();
        var buffer = new byte[64 * 1024];
        while (await socket.ReceiveAsync(buffer.AsMemory()).Soon() is > 0 and var got) all.Write(buffer, 0, got);
        return all.ToArray();
    }

    /// <summary>Until there is so much, without consuming it; it is all examined but for the result.</summary>
    public static async Task<ReadResult> ReadUntilAsync(this PipeReader reader, int count) => await reader.ReadAtLeastAsync(count).Soon();

    public static async Task AwaitClosedAsync(this ConnectionContext connection)
    {
        var closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using (connection.ConnectionClosed.Register(closed.SetResult)) await closed.Task.Soon();
    }

    public static string Text(this in ReadResult result) => Encoding.ASCII.GetString(result.Buffer.ToArray());

    public static byte[] Pattern(int length, int seed = 1)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
