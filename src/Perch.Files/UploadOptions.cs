using System.ComponentModel.DataAnnotations;
using System.Text;
using Perch.Wire.Files;

namespace Perch.Files;

/// <summary>Options of <c>upload</c>.</summary>
internal sealed class UploadOptions : IValidatableObject
{
    private const int MaxAckBytes = 1024;

    /// <summary>What answers a file that is stored, in UTF-8; <c>{name}</c> becomes its name. Default <c>ファイルアップロード完了</c>.</summary>
    public string Ack { get; set; } = "ファイルアップロード完了";

    /// <summary>The folder of the store that the files go to. Default <c>uploads</c>; empty for none.</summary>
    public string Folder { get; set; } = "uploads";

    /// <summary>
    /// Whether a connection that ends without a byte makes an empty file. Default true; false where a load balancer's probes
    /// connect and close.
    /// </summary>
    public bool AllowEmpty { get; set; } = true;

    /// <summary>
    /// Whether the file also ends when no byte has come for <see cref="OnceQuietTime"/>, for clients that send a file and wait for the
    /// answer without closing their side. Default false: the file ends at the half-close.
    /// </summary>
    public bool Once { get; set; }

    /// <summary>
    /// With <see cref="Once"/>, how long the client sends nothing before its file is complete. Default 100 ms; zero ends the file
    /// with the first receive, however much of it that is.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan OnceQuietTime { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Encoding.UTF8.GetByteCount(Ack) > MaxAckBytes) yield return new($"is longer than {MaxAckBytes} bytes", [nameof(Ack)]);
        if (Folder.Length > 0 && !FileName.TryParse($"{Folder}/{UploadSession.NewLeaf(default)}", out _, out var fault)) yield return new($"cannot be a folder: {fault}", [nameof(Folder)]);
    }
}
