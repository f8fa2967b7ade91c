using Perch.Messages;

namespace Perch.Protocols.Reply;

/// <summary>Options of <c>reply</c>. A message is at most 1,024 bytes by default.</summary>
public sealed class ReplyOptions : MessageOptions
{
    /// <summary>1,024 bytes is what the tutorial's server receives at once.</summary>
    public ReplyOptions() => MaxMessageBytes = 1024;

    /// <summary>The answer, in UTF-8. Default <c>データ送信</c>.</summary>
    public string Answer { get; set; } = "データ送信";
}
