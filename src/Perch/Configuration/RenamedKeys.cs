using Microsoft.Extensions.Configuration;
using Perch.Endpoints;

namespace Perch.Configuration;

/// <summary>Keys of earlier versions. Each is a fault whose cure names the new key and value.</summary>
internal static class RenamedKeys
{
    /// <returns>The fault of a renamed key; null if the key was never known.</returns>
    public static ConfigFault? Find(IConfigurationSection section)
    {
        if (!section.Path.Equals("Perch:Transport", StringComparison.OrdinalIgnoreCase))
            return null;
        var engine = "Sockets".Equals(section.Value, StringComparison.OrdinalIgnoreCase) ? SocketEngine.Kestrel : SocketEngine.Direct;
        return new(section.Path, $"'{section.Value}' is written under the old name of Perch:SocketEngine",
            $"Write \"SocketEngine\": \"{engine}\", or in the environment Perch__SocketEngine={engine}");
    }
}
