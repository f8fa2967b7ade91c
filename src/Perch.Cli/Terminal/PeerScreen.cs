using System.Text;
using Perch.Wire;

namespace Perch.Cli.Terminal;

/// <summary>
/// A peer's stream of bytes as text for a terminal: line ends stay, all else that is not visible is escaped as
/// <see cref="PeerText"/> does. A character that is cut between two reads is shown when its rest is there.
/// </summary>
internal sealed class PeerScreen
{
    private const int MostCarried = 3;

    private readonly byte[] _carried = new byte[MostCarried];
    private int _count;

    /// <returns>The text of all but a last character that is not whole.</returns>
    public string Next(ReadOnlySpan<byte> bytes)
    {
        Span<byte> all = new byte[_count + bytes.Length];
        _carried.AsSpan(0, _count).CopyTo(all);
        bytes.CopyTo(all[_count..]);
        _count = IncompleteTail(all);
        all[^_count..].CopyTo(_carried);
        return Escape(all[..^_count]);
    }

    /// <returns>What is left where nothing more will come.</returns>
    public string End()
    {
        var rest = Escape(_carried.AsSpan(0, _count));
        _count = 0;
        return rest;
    }

    private static string Escape(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        while (bytes.IndexOf((byte)'\n') is var end and >= 0)
        {
            text.Append(PeerText.Escape(end > 0 && bytes[end - 1] == (byte)'\r' ? bytes[..(end - 1)] : bytes[..end], int.MaxValue)).Append('\n');
            bytes = bytes[(end + 1)..];
        }

        return text.Append(PeerText.Escape(bytes, int.MaxValue)).ToString();
    }

    /// <summary>Bytes at the end that may yet become a character, or the CR of a CR LF.</summary>
    private static int IncompleteTail(ReadOnlySpan<byte> bytes)
    {
        if (bytes is [.., (byte)'\r']) return 1;
        for (var back = 1; back <= Math.Min(MostCarried, bytes.Length); back++)
        {
            var octet = bytes[^back];
            if ((octet & 0b1100_0000) == 0b1000_0000) continue;
            return Rune.DecodeFromUtf8(bytes[^back..], out _, out _) == System.Buffers.OperationStatus.NeedMoreData ? back : 0;
        }

        return 0;
    }
}
