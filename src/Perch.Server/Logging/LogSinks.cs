using System.Reflection;
using Serilog;

namespace Perch.Server.Logging;

/// <summary>
/// The assemblies that Serilog's section may use methods of, and their methods. They are named, because a single-file executable has no
/// list of assemblies to search; <c>Serilog:Using</c> adds others.
/// </summary>
internal static class LogSinks
{
    public const string UsingKey = "Serilog:Using";

    private static readonly Assembly[] Own =
    [
        typeof(Serilog.ILogger).Assembly,
        typeof(ConsoleLoggerConfigurationExtensions).Assembly,
        typeof(FileLoggerConfigurationExtensions).Assembly,
        typeof(LoggerConfigurationAsyncExtensions).Assembly,
    ];

    /// <param name="configuration">The configuration that has the section <c>Serilog</c>.</param>
    /// <param name="missing">Called with each key and name of an assembly that cannot be loaded.</param>
    public static Assembly[] Assemblies(IConfiguration configuration, Action<string, string> missing)
    {
        var assemblies = new List<Assembly>(Own);
        foreach (var entry in configuration.GetSection(UsingKey).AsEnumerable().Where(pair => !string.IsNullOrEmpty(pair.Value)))
        {
            try
            {
                assemblies.Add(Assembly.Load(new AssemblyName(entry.Value!)));
            }
            catch (Exception exception) when (exception is IOException or BadImageFormatException or ArgumentException)
            {
                missing(entry.Key, entry.Value!);
            }
        }

        return [.. assemblies.Distinct()];
    }

    /// <summary>
    /// The methods that a directive can name: extensions of one of Serilog's configuration types, such as that of <c>WriteTo</c>.
    /// </summary>
    public static IEnumerable<MethodInfo> Methods(IEnumerable<Assembly> assemblies, Type target) =>
        from type in assemblies.SelectMany(assembly => assembly.ExportedTypes).Append(Surrogates)
        where type is { IsAbstract: true, IsSealed: true }
        from method in type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
        where method.IsPublic || type == Surrogates
        where method.GetParameters() is { Length: > 0 } parameters && parameters[0].ParameterType == target
        select method;

    /// <summary>Serilog's names for members of its configuration types that are no extensions, such as <c>FromLogContext</c>.</summary>
    private static Type Surrogates { get; } =
        typeof(Serilog.Settings.Configuration.ConfigurationReaderOptions).Assembly
            .GetType("Serilog.Settings.Configuration.SurrogateConfigurationMethods", throwOnError: true)!;
}
