using System.Security.Cryptography;

namespace Perch.Cli.Files;

/// <summary>Hashes what is written through it; it owns neither.</summary>
internal sealed class HashingStream(Stream inner, IncrementalHash hash) : WriteOnlyStream(inner)
{
    protected override void OnWrite(ReadOnlySpan<byte> bytes) => hash.AppendData(bytes);
}
