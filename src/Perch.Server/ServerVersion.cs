using System.Reflection;

namespace Perch.Server;

/// <summary>The version of the executable, without the commit that the build appends after a plus sign.</summary>
internal static class ServerVersion
{
    public static string Text { get; } = typeof(ServerVersion).Assembly
        .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";
}
