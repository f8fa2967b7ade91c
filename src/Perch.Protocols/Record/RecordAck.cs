using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Perch.Protocols.Record;

/// <summary>Writes acknowledgements and refusals.</summary>
internal sealed class RecordAck
{
    public const int MaxTemplateBytes = 1024;

    private const string IdMark = "{id}";
    private const int MostDigits = 20;

    private readonly byte[] _before;
    private readonly byte[] _after;
    private readonly bool _hasId;

    public RecordAck(string template)
    {
        var parts = template.Split(IdMark, 2);
        _before = Encoding.UTF8.GetBytes(parts[0]);
        _hasId = parts.Length == 2;
        _after = _hasId ? Encoding.UTF8.GetBytes(parts[1]) : [];
        IsSilent = template.Length == 0;
    }

    /// <summary>Nothing answers a message that was stored.</summary>
    public bool IsSilent { get; }

    /// <summary>One answer for each record of the batch, in their order.</summary>
    public void Write(IBufferWriter<byte> output, RecordBatch batch)
    {
        if (IsSilent) return;
        for (var i = 0; i < batch.Count; i++) Write(output, batch.Id(i));
    }

    /// <summary>The answer to one record.</summary>
    public void Write(IBufferWriter<byte> output, long id)
    {
        var span = output.GetSpan(_before.Length + MostDigits + _after.Length);
        _before.CopyTo(span);
        var length = _before.Length;
        if (_hasId)
        {
            Utf8Formatter.TryFormat(id, span[length..], out var digits);
            length += digits;
            _after.CopyTo(span[length..]);
            length += _after.Length;
        }

        output.Advance(length);
    }

    /// <summary><c>ERR &lt;code&gt; &lt;text&gt;</c> LF for each record that is not stored; once where nothing answers messages.</summary>
    public void WriteError(IBufferWriter<byte> output, string code, int records)
    {
        var line = Encoding.UTF8.GetBytes($"ERR {code} not stored, send it again\n");
        for (var i = IsSilent ? 1 : records; i > 0; i--) output.Write(line);
    }

    /// <summary>What a peer that broke the protocol is told.</summary>
    public static void WriteError(IBufferWriter<byte> output, string code, string text) => output.Write(Encoding.UTF8.GetBytes($"ERR {code} {text}\n"));
}
