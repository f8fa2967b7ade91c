using System.ComponentModel.DataAnnotations;
using System.Text;
using Perch.Messages;

namespace Perch.Protocols.Record;

/// <summary>Options of <c>record</c>. A message is at most 1 MiB by default.</summary>
internal sealed class RecordOptions : MessageOptions, IValidatableObject
{
    public RecordOptions() => MaxMessageBytes = 1024 * 1024;

    /// <summary>
    /// What answers a message once it is durable, in UTF-8; <c>{id}</c> becomes the row's id. Default empty: no answer.
    /// </summary>
    public string Ack { get; set; } = "";

    /// <summary>Whether the first message is answered and the connection closed. Default false.</summary>
    public bool Once { get; set; }

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
    }
}
