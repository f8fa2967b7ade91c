using System.ComponentModel.DataAnnotations;
using System.Text;
using Perch.Messages;
using Perch.Wire.Framings;

namespace Perch.Records;

/// <summary>Options of <c>record</c>. A message is at most 1 MiB by default.</summary>
internal sealed class RecordOptions : MessageOptions, IValidatableObject
{
    public RecordOptions() => MaxMessageBytes = 1024 * 1024;

    /// <summary>
    /// What answers a message once it is durable, in UTF-8; <c>{id}</c> becomes the row's id. Default empty: no answer.
    /// </summary>
    public string Ack { get; set; } = "";

    /// <summary>
    /// Whether a connection is one message, which is answered before the connection is closed. The message ends at the half-close, or
    /// when no byte has come for <see cref="OnceQuietTime"/>. Needs <see cref="Framing.Chunk"/>; no effect on UDP. Default false.
    /// </summary>
    public bool Once { get; set; }

    /// <summary>
    /// With <see cref="Once"/>, how long the client sends nothing before its message is complete. Default 100 ms; zero ends the
    /// message with the first receive, however much of it that is.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan OnceQuietTime { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Most batches of one connection that wait for their commit; while there are so many, it is not read. A batch is what
    /// one read brought, cut behind 4,096 messages or 192 KiB. Default 4.
    /// </summary>
    [Range(1, 64)]
    public int MaxInFlight { get; set; } = 4;

    /// <summary>
    /// Whether a message may begin with a key, <c>@&lt;sender&gt;/&lt;sequence&gt; </c>, which is taken from it: a pair
    /// that was stored before is acknowledged with the first row's id and not stored again. Default false.
    /// </summary>
    public bool Deduplicate { get; set; }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Encoding.UTF8.GetByteCount(Ack) > RecordAck.MaxTemplateBytes)
            yield return new($"is longer than {RecordAck.MaxTemplateBytes} bytes", [nameof(Ack)]);
        if (Once && Framing != Framing.Chunk)
        {
            var fault = $"needs the framing Chunk, because the whole connection is one message: remove Once, or remove Framing {Framing}";
            yield return new(fault, [nameof(Once)]);
        }
    }
}
