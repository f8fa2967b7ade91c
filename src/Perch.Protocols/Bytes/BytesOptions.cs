using System.ComponentModel.DataAnnotations;
using Perch.Messages;

namespace Perch.Protocols.Bytes;

/// <summary>Options of <c>bytes</c>. A message is at most 1,024 bytes by default.</summary>
public sealed class BytesOptions : MessageOptions, IValidatableObject
{
    /// <summary>1,024 bytes is what the tutorial's programs receive at once.</summary>
    public BytesOptions() => MaxMessageBytes = 1024;

    /// <summary>What is sent when a peer connects, as pairs of hex digits, at most 1,024 bytes. Default <c>01020304</c>.</summary>
    [MaxLength(2048)]
    public string Payload { get; set; } = "01020304";

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Payload.Length % 2 != 0 || !Payload.All(char.IsAsciiHexDigit))
            yield return new($"'{Payload}' is not pairs of hex digits, such as 01020304", [nameof(Payload)]);
    }
}
