using Microsoft.Extensions.Configuration;
using Perch.Endpoints;

namespace Perch.Configuration;

/// <summary>The key <c>Mode</c> of an endpoint: the access rights of its Unix socket, in octal digits as chmod(1) takes them.</summary>
internal static class SocketMode
{
    /// <returns>The mode; null if the key is absent or has a fault.</returns>
    public static UnixFileMode? Read(IConfigurationSection section, EndpointSettings settings, bool isUnix, List<ConfigFault> faults)
    {
        if (settings.Mode is not { } text)
            return null;
        var key = $"{section.Path}:{nameof(EndpointSettings.Mode)}";
        if (!isUnix)
            faults.Add(new(key, "is for Unix sockets", "Remove it, or write UnixSocket in place of Port"));
        else if (OperatingSystem.IsWindows())
            faults.Add(new(key, "needs a system with Unix file modes", "Remove it"));
        else if (Parse(text) is { } mode)
            return mode;
        else
            faults.Add(new(key, $"'{text}' is not an octal file mode", "Write three octal digits, for example \"0660\": the owner and the group may connect"));
        return null;
    }

    private static UnixFileMode? Parse(string text)
    {
        var digits = text.Length == 4 && text[0] == '0' ? text[1..] : text;
        if (digits.Length != 3 || digits.AsSpan().ContainsAnyExceptInRange('0', '7'))
            return null;
        return (UnixFileMode)Convert.ToInt32(digits, 8);
    }
}
