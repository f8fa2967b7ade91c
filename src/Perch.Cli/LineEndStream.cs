namespace Perch.Cli;

/// <summary>Passes bytes on to a terminal and knows whether the last of them ended a line.</summary>
internal sealed class LineEndStream(Stream terminal) : WriteOnlyStream(terminal)
{
    public bool IsAtLineStart { get; private set; } = true;

    protected override void OnWrite(ReadOnlySpan<byte> bytes)
    {
        if (!bytes.IsEmpty) IsAtLineStart = bytes[^1] == (byte)'\n';
    }
}
