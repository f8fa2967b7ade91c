using System.Buffers;
using System.Buffers.Text;
using System.Text;

namespace Perch.Records;

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

    /// <summary>One answer for each record of the batch, in their order, until <paramref name="most"/> bytes are written.</summary>
    /// <param name="output">What the answers are written to.</param>
    /// <param name="batch">Durable.</param>
    /// <param name="from">The first that is to be answered.</param>
    /// <param name="most">Bytes, which the last answer may exceed by itself.</param>
    /// <returns>The first that is not answered yet; the batch's count when all are.</returns>
    public int Write(IBufferWriter<byte> output, RecordBatch batch, int from, int most)
    {
        if (IsSilent) return batch.Count;
        for (; from < batch.Count && most > 0; from++) most -= Write(output, batch.Id(from));
        return from;
    }

    /// <summary>The answer to one record.</summary>
    /// <returns>Bytes that were written.</returns>
    public int Write(IBufferWriter<byte> output, long id)
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
        return length;
    }

    /// <summary><c>ERR &lt;code&gt; &lt;text&gt;</c> LF for each of the records, none of which is stored, until <paramref name="most"/> bytes are written.</summary>
    /// <returns>How many are not told yet.</returns>
    public static int WriteError(IBufferWriter<byte> output, string code, int records, int most)
    {
        var line = Encoding.UTF8.GetBytes($"ERR {code} not stored, send it again\n");
        for (; records > 0 && most > 0; records--)
        {
            output.Write(line);
            most -= line.Length;
        }

        return records;
    }

    /// <summary>What a peer that broke the protocol is told.</summary>
    public static void WriteError(IBufferWriter<byte> output, string code, string text) => output.Write(Encoding.UTF8.GetBytes($"ERR {code} {text}\n"));
}
