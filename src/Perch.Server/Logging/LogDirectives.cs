using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using Perch.Configuration;
using Serilog;
using Serilog.Configuration;
using Serilog.Events;

namespace Perch.Server.Logging;

/// <summary>
/// Checks the directives of Serilog's section (<c>WriteTo</c>, <c>Enrich</c> and others) against the methods that they name. Serilog
/// itself skips a directive that it does not know, and throws at a value that it cannot convert.
/// </summary>
internal sealed class LogDirectives(IReadOnlyList<Assembly> assemblies, List<ConfigFault> faults)
{
    private static readonly (string Key, Type Target)[] Kinds =
    [
        ("WriteTo", typeof(LoggerSinkConfiguration)),
        ("AuditTo", typeof(LoggerAuditSinkConfiguration)),
        ("Enrich", typeof(LoggerEnrichmentConfiguration)),
        ("Filter", typeof(LoggerFilterConfiguration)),
        ("Destructure", typeof(LoggerDestructuringConfiguration)),
    ];

    private static readonly string[] OtherKeys = ["Using", "MinimumLevel", "LevelSwitches", "FilterSwitches", "Properties"];

    /// <summary>Checks a whole section: <c>Serilog</c>, or that of a sink that is a logger of its own.</summary>
    public void CheckSection(IConfigurationSection section)
    {
        foreach (var child in section.GetChildren().Where(child => !IsKnown(child.Key)))
            AddUnknown(child, Kinds.Select(kind => kind.Key).Concat(OtherKeys));
        foreach (var (key, target) in Kinds)
            CheckDirectives(section.GetSection(key), target);
        CheckLevels(section);
    }

    private static bool IsKnown(string key) =>
        Array.Exists(Kinds, kind => kind.Key.Equals(key, StringComparison.OrdinalIgnoreCase))
        || OtherKeys.Contains(key, StringComparer.OrdinalIgnoreCase);

    private void CheckLevels(IConfigurationSection section)
    {
        var levels = section.GetSection("MinimumLevel");
        foreach (var child in levels.GetChildren().Where(child => child.Key.ToUpperInvariant() is not ("DEFAULT" or "OVERRIDE")))
            AddUnknown(child, ["Default", "Override"]);
        IConfigurationSection[] keys =
        [
            levels, levels.GetSection("Default"), .. levels.GetSection("Override").GetChildren(),
            .. section.GetSection("LevelSwitches").GetChildren(),
        ];
        foreach (var level in keys)
        {
            if (level.Value is { } text)
                CheckLevel(level, text);
        }
    }

    private void CheckLevel(IConfigurationSection section, string text)
    {
        if (!LogLevels.TryParse(text, out _))
        {
            faults.Add(new(section.Path, $"'{text}' is not a known level",
                $"Write one of: {string.Join(", ", Enum.GetNames<LogEventLevel>())}"));
        }
    }

    /// <summary>Each child is a name, or a section with <c>Name</c> and <c>Args</c>; the section may be the one name itself.</summary>
    private void CheckDirectives(IConfigurationSection section, Type target)
    {
        foreach (var directive in section.Value is { Length: > 0 } ? [section] : section.GetChildren())
        {
            if (directive.Value is { } name)
                CheckDirective(directive, name, directive.GetSection("Args"), target);
            else if (directive["Name"] is { } named)
                CheckDirective(directive.GetSection("Name"), named, directive.GetSection("Args"), target);
            else
                faults.Add(new($"{directive.Path}:Name", "is missing", $"Write one of: {Names(target)}"));
        }
    }

    private void CheckDirective(IConfigurationSection key, string name, IConfigurationSection args, Type target)
    {
        var methods = LogSinks.Methods(assemblies, target).Where(method => method.Name == name).ToList();
        if (methods.Count == 0)
        {
            faults.Add(new(key.Path, $"'{name}' is not known",
                $"Write one of: {Names(target)}; another one needs its assembly in {LogSinks.UsingKey}"));
            return;
        }

        var given = args.GetChildren().ToDictionary(arg => arg.Key, StringComparer.OrdinalIgnoreCase);
        var known = methods.SelectMany(Parameters).Select(parameter => parameter.Name!).Distinct(StringComparer.OrdinalIgnoreCase).ToList();
        foreach (var arg in given.Values.Where(arg => !known.Contains(arg.Key, StringComparer.OrdinalIgnoreCase)))
            AddUnknown(arg, known);
        // Serilog calls the method that lacks no argument and has the most of those that are given.
        var method = methods.OrderBy(candidate => Missing(candidate, given.Keys).Count)
            .ThenByDescending(candidate => Parameters(candidate).Count(p => given.ContainsKey(p.Name!))).First();
        foreach (var missing in Missing(method, given.Keys))
            faults.Add(new($"{args.Path}:{missing}", "is missing", $"'{name}' needs it"));
        foreach (var parameter in Parameters(method))
        {
            if (given.TryGetValue(parameter.Name!, out var arg))
                CheckArgument(arg, parameter);
        }
    }

    private void CheckArgument(IConfigurationSection arg, ParameterInfo parameter)
    {
        var type = Nullable.GetUnderlyingType(parameter.ParameterType) ?? parameter.ParameterType;
        if (type == typeof(Action<LoggerConfiguration>))
            CheckSection(arg);
        else if (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(Action<>))
            CheckDirectives(arg, type.GetGenericArguments()[0]);
        else if (arg.Value is not { } raw)
            return;
        else if (type == typeof(LogEventLevel))
            CheckLevel(arg, raw);
        else if (type.IsEnum && !(Enum.TryParse(type, raw, ignoreCase: true, out var value) && Enum.IsDefined(type, value)))
            faults.Add(new(arg.Path, $"'{raw}' is not one of the known words", $"Write one of: {string.Join(", ", Enum.GetNames(type))}"));
        else if ((type.IsPrimitive || type == typeof(TimeSpan)) && !CanConvert(raw, type))
            faults.Add(new(arg.Path, $"'{raw}' is not a value of type {type.Name}", "Correct the value"));
        else if (IsFile(parameter) && !LogFile.CanWrite(Environment.ExpandEnvironmentVariables(raw)))
            faults.Add(new(arg.Path, $"'{raw}' cannot be written", "Write a path in a folder that the server's user can write to"));
    }

    private static bool IsFile(ParameterInfo parameter) =>
        parameter.Name == "path" && parameter.Member.DeclaringType == typeof(FileLoggerConfigurationExtensions);

    private void AddUnknown(IConfigurationSection section, IEnumerable<string> known) =>
        faults.Add(new(section.Path, "is not a known key", $"Known here: {string.Join(", ", known.Order(StringComparer.Ordinal))}"));

    private string Names(Type target) =>
        string.Join(", ", LogSinks.Methods(assemblies, target).Select(method => method.Name).Distinct().Order(StringComparer.Ordinal));

    /// <summary>Without the configuration object that the method extends.</summary>
    private static IEnumerable<ParameterInfo> Parameters(MethodInfo method) => method.GetParameters().Skip(1);

    private static List<string> Missing(MethodInfo method, IReadOnlyCollection<string> given) =>
        [.. Parameters(method).Where(p => !p.HasDefaultValue && p.GetCustomAttribute<ParamArrayAttribute>() is null
            && p.ParameterType != typeof(IConfiguration)).Select(p => p.Name!).Except(given, StringComparer.OrdinalIgnoreCase)];

    private static bool CanConvert(string text, Type type)
    {
        try
        {
            return type == typeof(TimeSpan)
                ? TimeSpan.TryParse(text, CultureInfo.InvariantCulture, out _)
                : TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text) is not null;
        }
        catch (Exception exception) when (exception is ArgumentException or FormatException or NotSupportedException or OverflowException)
        {
            return false;
        }
    }
}
