namespace Perch.Configuration;

/// <summary>Options that are read from a section under <c>Perch</c>. Several types can share a section: each knows keys of its own.</summary>
/// <param name="Name">The key under <c>Perch</c>.</param>
/// <param name="OptionsType">The type of the options.</param>
internal sealed record SectionDescriptor(string Name, Type OptionsType);
