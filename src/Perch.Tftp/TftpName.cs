using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Perch.Wire.Files;

namespace Perch.Tftp;

/// <summary>Maps the name of a request to the name of a file, as TFTP servers on a file system do.</summary>
/// <remarks>
/// Boot loaders join a prefix and a path unchanged (older GRUB), write <c>\</c> for <c>/</c> (Windows), or add bytes behind the name
/// that are not UTF-8 (some network cards add 0xFF). The root is the folder that is served, whether or not the name begins with a slash.
/// </remarks>
internal static class TftpName
{
    /// <param name="request">The name as it came.</param>
    /// <param name="folder">The folder of the store that peers see; empty for all of the store.</param>
    /// <param name="lowerCase">Whether the name is mapped to lower case, as dnsmasq's <c>tftp-lowercase</c> does.</param>
    /// <param name="name">The name in the store.</param>
    /// <param name="fault">The rule that the name breaks, if false is returned.</param>
    public static bool TryMap(
        ReadOnlySpan<byte> request, string folder, bool lowerCase, [NotNullWhen(true)] out FileName? name, [NotNullWhen(false)] out string? fault)
    {
        var utf8 = Normalize(WithoutTrailingNoise(request));
        if (!FileName.TryParse(utf8, out name, out fault)) return false;
        if (folder.Length == 0 && !lowerCase) return true;
        var path = lowerCase ? name.Value.ToLowerInvariant() : name.Value;
        return FileName.TryParse(folder.Length == 0 ? path : $"{folder}/{path}", out name, out fault);
    }

    private static ReadOnlySpan<byte> WithoutTrailingNoise(ReadOnlySpan<byte> name)
    {
        while (!name.IsEmpty && Rune.DecodeLastFromUtf8(name, out _, out var length) != OperationStatus.Done)
            name = name[..^length];
        return name;
    }

    /// <summary>
    /// Collapses runs of slashes and drops <c>.</c> segments. <c>..</c> stays, and is refused. So does a slash at the end: such a name
    /// is that of a folder.
    /// </summary>
    private static byte[] Normalize(ReadOnlySpan<byte> name)
    {
        var all = new byte[name.Length];
        name.Replace(all, (byte)'\\', (byte)'/');
        var mapped = new List<byte>(all.Length);
        var isFolder = false;
        foreach (var range in all.AsSpan().Split((byte)'/'))
        {
            var segment = all.AsSpan(range);
            isFolder = segment is [] or [(byte)'.'];
            if (isFolder) continue;
            if (mapped.Count > 0) mapped.Add((byte)'/');
            mapped.AddRange(segment);
        }

        if (isFolder) mapped.Add((byte)'/');
        return [.. mapped];
    }
}
