using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Reflection;
using Microsoft.Extensions.Configuration;

namespace Perch.Configuration;

/// <summary>
/// Reads a configuration section into an options object and reports every fault: unknown keys, values of the wrong
/// kind, values that a <see cref="ValidationAttribute"/> or <see cref="IValidatableObject"/> refuses.
/// (The framework's binder stops at the first value it cannot convert and names neither range nor cure.)
/// </summary>
internal sealed class StrictBinder(List<ConfigFault> faults)
{
    /// <param name="section">What to read.</param>
    /// <param name="target">Where to put it; properties without a key keep their value.</param>
    /// <param name="elsewhere">Keys that are known but read by someone else.</param>
    public void Read(IConfigurationSection section, object target, params string[] elsewhere)
    {
        var properties = PropertiesOf(target.GetType()).ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);
        if (section.Value is { Length: > 0 } text)
            faults.Add(new(section.Path, $"is the value '{text}', not a section", "Write an object: { ... }"));

        foreach (var child in section.GetChildren())
        {
            if (elsewhere.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) continue;
            if (properties.TryGetValue(child.Key, out var property)) ReadProperty(child, target, property);
            else AddUnknown(child, properties.Keys.Union(elsewhere));
        }

        Validate(section, target);
    }

    /// <returns>The keys that options of a type have.</returns>
    public static IEnumerable<string> KeysOf(Type options) => PropertiesOf(options).Select(p => p.Name);

    private static IEnumerable<PropertyInfo> PropertiesOf(Type options) =>
        options.GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(p => p.SetMethod is { IsPublic: true });

    private void ReadProperty(IConfigurationSection section, object target, PropertyInfo property)
    {
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        if (section.Value is null && !section.GetChildren().Any()) return;
        if (type == typeof(string[]))
        {
            property.SetValue(target, ReadList(section));
            return;
        }

        if (type.IsClass && type != typeof(string))
        {
            Read(section, property.GetValue(target)!);
            return;
        }

        if (section.Value is not { } text || section.GetChildren().Any())
            faults.Add(new(section.Path, "is a section, not a value", $"Write {Kind(type)}"));
        else if (TryConvert(text, type, out var value))
            SetValue(section, target, property, value);
        else
            faults.Add(new(section.Path, $"'{text}' is not {Kind(type)}", Cure(type)));
    }

    private void SetValue(IConfigurationSection section, object target, PropertyInfo property, object? value)
    {
        try
        {
            property.SetValue(target, value);
        }
        catch (TargetInvocationException exception) when (exception.InnerException is ArgumentException refused)
        {
            // The first line, without the name of the setter's parameter.
            var cure = refused.Message.Split('\n')[0].Replace(" (Parameter 'value')", "", StringComparison.Ordinal).Trim();
            faults.Add(new(section.Path, $"{value} is out of range", cure));
        }
    }

    /// <summary>A list, or the one text that would be its only entry.</summary>
    private string[] ReadList(IConfigurationSection section)
    {
        if (section.Value is { } single) return single.Length == 0 ? [] : [single];
        var list = new List<string>();
        foreach (var child in section.GetChildren())
        {
            if (child.Value is { Length: > 0 } text) list.Add(text);
            else faults.Add(new(child.Path, "is not text", "Write a list of texts: [ \"...\" ]"));
        }

        return [.. list];
    }

    private void Validate(IConfigurationSection section, object target)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(target, new(target), results, validateAllProperties: true);
        foreach (var result in results)
        {
            var member = result.MemberNames.FirstOrDefault();
            var key = member is null ? section.Path : ConfigurationPath.Combine(section.Path, member);
            var range = member is null ? null : target.GetType().GetProperty(member)?.GetCustomAttribute<RangeAttribute>();
            var value = member is null ? null : target.GetType().GetProperty(member)?.GetValue(target);
            faults.Add(range is null || range.IsValid(value)
                ? new(key, result.ErrorMessage ?? "is not valid", "Correct the value")
                : new(key, $"{value} is out of range", $"Write a value between {range.Minimum} and {range.Maximum}"));
        }
    }

    private void AddUnknown(IConfigurationSection child, IEnumerable<string> known) => faults.Add(RenamedKeys.Find(child)
        ?? new(child.Path, "is not a known key", $"Known here: {string.Join(", ", known.Order(StringComparer.Ordinal))}"));

    private static bool TryConvert(string text, Type type, out object? value)
    {
        value = null;
        if (type == typeof(string)) value = text;
        // Enum.TryParse alone takes numbers, and "Line,Length" for the word whose number is both.
        else if (type.IsEnum) return Enum.GetNames(type).Contains(text, StringComparer.OrdinalIgnoreCase) && Enum.TryParse(type, text, ignoreCase: true, out value);
        // "60" would be sixty days, and without a format "24:00:00" twenty-four.
        else if (type == typeof(TimeSpan)) value = text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out var span) ? span : null;
        else
        {
            try
            {
                value = TypeDescriptor.GetConverter(type).ConvertFromInvariantString(text);
            }
            catch (Exception e) when (e is ArgumentException or FormatException or NotSupportedException or OverflowException)
            {
                return false;
            }
        }

        return value is not null;
    }

    private static string Kind(Type type) =>
        type == typeof(bool) ? "true or false"
        : type == typeof(TimeSpan) ? "a time span"
        : type == typeof(string) ? "text"
        : type.IsEnum ? "one of the known words"
        : "a number that fits";

    private static string Cure(Type type) =>
        type.IsEnum ? $"Write one of: {string.Join(", ", Enum.GetNames(type))}"
        : type == typeof(TimeSpan) ? "Write hh:mm:ss, for example 00:01:30"
        : $"Write {Kind(type)}";
}
