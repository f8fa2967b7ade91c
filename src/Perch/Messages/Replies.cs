using System.IO.Pipelines;

namespace Perch.Messages;

/// <summary>How the shapes that know messages send what handlers have replied.</summary>
internal static class Replies
{
    /// <summary>Replies are sent before they pass this many bytes, however many messages one read brought.</summary>
    public const int FlushThreshold = 64 * 1024;

    /// <returns>False where the peer is gone.</returns>
    public static async ValueTask<bool> FlushAsync(PipeWriter output) => output.UnflushedBytes == 0 || !(await output.FlushAsync()).IsCompleted;
}
